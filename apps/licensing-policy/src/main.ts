import { LicensingPolicyService as Definition, PolicyAdministrationService } from '@muster/contracts/policy';
import { openDatabase } from '@muster/database';
import { filePath, hostAndPort, runService, secret, secretFile, serveGrpc, systemClock } from '@muster/service-kit';
import { createPolicyAdministration } from './administration.ts';
import { followOtherReplicas } from './follow-other-replicas.ts';
import { policyMigrations } from './migrations.ts';
import { LicensingPolicyService } from './service.ts';

await runService({
  name: 'licensing-policy',
  purpose: "owns the catalogue, the host's identity, its KMS keys and its settings.",
  managementListen: '127.0.0.1:7202',
  settings: {
    MUSTER_POLICY_DATABASE: secret('postgres://... or directory').describe(
      'postgres://user:password@host/database, or a directory to embed a database in',
    ),
    MUSTER_POLICY_LISTEN: hostAndPort().default('127.0.0.1:7102').describe('Address that serves gRPC'),
    MUSTER_POLICY_HOST_KEY_SECRET_FILE: filePath().describe(
      "File with the 64 hexadecimal digits that encrypt the host's private key, the same for all replicas; made when missing",
    ),
  },
  async start({ settings, logger, tls, readiness, drainMs }) {
    const keyEncryptionKey = secretFile(settings.MUSTER_POLICY_HOST_KEY_SECRET_FILE);
    const database = await openDatabase(settings.MUSTER_POLICY_DATABASE);
    await database.migrate(policyMigrations);
    const policy = await LicensingPolicyService.open({ database, clock: systemClock, logger, keyEncryptionKey });
    const stopFollowing = followOtherReplicas(policy, logger);
    readiness.add({
      name: 'database',
      required: true,
      look: async () => {
        await policy.refresh();
        return { ok: true };
      },
    });
    const services = [
      { definition: Definition, implementation: policy },
      { definition: PolicyAdministrationService, implementation: createPolicyAdministration(policy) },
    ];
    const drain = await serveGrpc(settings.MUSTER_POLICY_LISTEN, services, { tls, readiness, drainMs });
    return {
      status: () => ({ hostId: policy.host.hostId, revision: policy.state.revision }),
      async stop() {
        stopFollowing();
        policy.close();
        await drain();
        await database.close();
      },
    };
  },
});
