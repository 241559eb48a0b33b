import { LicensingPolicyService as Definition, PolicyAdministrationService } from '@muster/contracts/policy';
import { openDatabase } from '@muster/database';
import {
  filePath,
  hostAndPort,
  onOrOff,
  runService,
  secret,
  secretFile,
  serveGrpc,
  systemClock,
} from '@muster/service-kit';
import { createPolicyAdministration } from './administration.ts';
import { connectToAuthority } from './authority-link.ts';
import { followOtherReplicas } from './follow-other-replicas.ts';
import { KeyKeeper, keysCheck } from './key-keeper.ts';
import { policyMigrations } from './migrations.ts';
import { ProductKeys } from './product-keys.ts';
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
      "File with the 64 hexadecimal digits that encrypt the host's private key and its product keys, the same for all replicas; made when missing",
    ),
    MUSTER_POLICY_AUTHORITY: hostAndPort()
      .optional()
      .describe("The vendor's authority, to activate and renew KMS keys online; keys are activated offline without it"),
    MUSTER_POLICY_AUTHORITY_CA_FILE: filePath()
      .optional()
      .describe("Authorities of the TLS certificate of the vendor's authority, PEM; the system's when left out"),
    MUSTER_POLICY_AUTHORITY_TLS: onOrOff()
      .default('on')
      .describe("TLS to the vendor's authority; off on this machine only, for tests"),
  },
  async start({ settings, logger, tls, readiness, drainMs }) {
    const keyEncryptionKey = secretFile(settings.MUSTER_POLICY_HOST_KEY_SECRET_FILE);
    const link = linkToAuthority(settings);
    const database = await openDatabase(settings.MUSTER_POLICY_DATABASE);
    await database.migrate(policyMigrations);
    const parts = { database, clock: systemClock, logger, keyEncryptionKey };
    const policy = await LicensingPolicyService.open(parts);
    const keys = new ProductKeys({ ...parts, policy, authority: link?.authority });
    const keeper = new KeyKeeper({ ...parts, policy, keys });
    keeper.start();
    const stopFollowing = followOtherReplicas(policy, logger);
    readiness.add({
      name: 'database',
      required: true,
      look: async () => {
        await policy.refresh();
        return { ok: true };
      },
    });
    readiness.add({
      name: 'keys',
      required: false,
      look: async () => keysCheck(policy.state.keys, await keys.list(), systemClock.nowMs()),
    });
    const administration = createPolicyAdministration(policy, keys, systemClock);
    const services = [
      { definition: Definition, implementation: policy },
      { definition: PolicyAdministrationService, implementation: administration },
    ];
    const drain = await serveGrpc(settings.MUSTER_POLICY_LISTEN, services, { tls, readiness, drainMs });
    return {
      status: () => ({ hostId: policy.host.hostId, revision: policy.state.revision }),
      async stop() {
        stopFollowing();
        policy.close();
        await drain();
        await keeper.stop();
        link?.close();
        await database.close();
      },
    };
  },
});

interface AuthoritySettings {
  readonly MUSTER_POLICY_AUTHORITY: string | undefined;
  readonly MUSTER_POLICY_AUTHORITY_CA_FILE: string | undefined;
  readonly MUSTER_POLICY_AUTHORITY_TLS: 'on' | 'off';
}

function linkToAuthority(settings: AuthoritySettings) {
  const address = settings.MUSTER_POLICY_AUTHORITY;
  if (address === undefined) return undefined;
  const caFile = settings.MUSTER_POLICY_AUTHORITY_CA_FILE;
  return connectToAuthority({ address, caFile, plain: settings.MUSTER_POLICY_AUTHORITY_TLS === 'off' });
}
