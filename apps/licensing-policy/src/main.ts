import { LicensingPolicyService as Definition } from '@muster/contracts/policy';
import { openDatabase } from '@muster/database';
import { hostAndPort, runService, secretFile, serveGrpc, systemClock, text } from '@muster/service-kit';
import { policyMigrations } from './migrations.ts';
import { LicensingPolicyService } from './service.ts';

await runService({
  name: 'licensing-policy',
  purpose: "owns the catalogue, the host's identity, its KMS keys and its settings.",
  settings: {
    MUSTER_POLICY_DATABASE: text().describe('postgres://user:password@host/database, or a directory to embed one in'),
    MUSTER_POLICY_LISTEN: hostAndPort().default('127.0.0.1:7102').describe('Address that serves gRPC'),
    MUSTER_POLICY_HOST_KEY_SECRET_FILE: text().describe(
      "File with the 64 hexadecimal digits that encrypt the host's private key; made when missing",
    ),
  },
  async start(settings, logger) {
    const keyEncryptionKey = secretFile(settings.MUSTER_POLICY_HOST_KEY_SECRET_FILE);
    const database = await openDatabase(settings.MUSTER_POLICY_DATABASE);
    await database.migrate(policyMigrations);
    const policy = await LicensingPolicyService.open({ database, clock: systemClock, logger, keyEncryptionKey });
    const drain = await serveGrpc(settings.MUSTER_POLICY_LISTEN, [{ definition: Definition, implementation: policy }]);
    return async () => {
      policy.close();
      await drain();
      await database.close();
    };
  },
});
