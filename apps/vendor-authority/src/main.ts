import { VendorAuthorityService as Definition, VendorAdministrationService } from '@muster/contracts/vendor';
import { type Database, openDatabase } from '@muster/database';
import { MusterError } from '@muster/product-groups';
import {
  filePath,
  hostAndPort,
  type Logger,
  type Readiness,
  runService,
  ServerCertificate,
  type Settings,
  secret,
  secretFile,
  serveGrpc,
  systemClock,
} from '@muster/service-kit';
import { createVendorAdministration } from './administration.ts';
import { authorityMigrations } from './migrations.ts';
import { VendorAuthorityService } from './service.ts';
import { probeStatement } from './statements.ts';

const settings = {
  MUSTER_AUTHORITY_DATABASE: secret('postgres://... or directory').describe(
    'postgres://user:password@host/database, or a directory to embed a database in',
  ),
  MUSTER_AUTHORITY_LISTEN: hostAndPort()
    .default('127.0.0.1:7104')
    .describe('Address for whoever has a product key: hosts and machines that ask to be activated'),
  MUSTER_AUTHORITY_TLS_CERTIFICATE_FILE: filePath()
    .optional()
    .describe(
      'Certificate of that address with its chain, PEM; needed with TLS. Callers show none. Exchanged files are taken over',
    ),
  MUSTER_AUTHORITY_TLS_KEY_FILE: filePath()
    .optional()
    .describe('The private key of that certificate, PEM; needed with TLS'),
  MUSTER_AUTHORITY_ADMINISTRATION_LISTEN: hostAndPort()
    .default('127.0.0.1:7105')
    .describe("Address for the vendor's administrators, and for a protocol gateway in front of the authority"),
  MUSTER_AUTHORITY_SECRET_FILE: filePath().describe(
    "File with the 64 hexadecimal digits that seal the vendor's root and that product keys are hashed by, the same for all replicas; made when missing. Without it all keys are lost",
  ),
};

await runService({
  name: 'vendor-authority',
  purpose: "keeps the vendor's root, issues product keys, activates hosts and confirms installations.",
  managementListen: '127.0.0.1:7204',
  settings,
  async start({ settings, logger, tls, readiness, drainMs }) {
    const certificate = publicCertificate(settings, tls !== undefined, logger);
    const keyEncryptionKey = secretFile(settings.MUSTER_AUTHORITY_SECRET_FILE);
    const database = await openDatabase(settings.MUSTER_AUTHORITY_DATABASE);
    await database.migrate(authorityMigrations);
    const authority = await VendorAuthorityService.open({ database, clock: systemClock, logger, keyEncryptionKey });
    addChecks(readiness, database, certificate);
    const anybody = { definition: Definition, implementation: authority };
    const administration = createVendorAdministration(authority);
    const administrators = { definition: VendorAdministrationService, implementation: administration };
    const options = { readiness, drainMs };
    const inner = settings.MUSTER_AUTHORITY_ADMINISTRATION_LISTEN;
    const drainInner = await serveGrpc(inner, [administrators, anybody], { ...options, tls });
    const drainPublic = await serveGrpc(settings.MUSTER_AUTHORITY_LISTEN, [anybody], { ...options, tls: certificate });
    return {
      async stop() {
        await Promise.all([drainPublic(), drainInner()]);
        certificate?.close();
        await database.close();
      },
    };
  },
});

/** TLS of the public address: needed unless all TLS is off. */
function publicCertificate(
  given: Settings<typeof settings>,
  needed: boolean,
  logger: Logger,
): ServerCertificate | undefined {
  const { MUSTER_AUTHORITY_TLS_CERTIFICATE_FILE: certificateFile, MUSTER_AUTHORITY_TLS_KEY_FILE: keyFile } = given;
  if (certificateFile !== undefined && keyFile !== undefined)
    return new ServerCertificate(certificateFile, keyFile, logger);
  if (!needed && certificateFile === undefined && keyFile === undefined) return undefined;
  throw new MusterError({
    code: 'SETTING_INVALID',
    message: 'MUSTER_AUTHORITY_TLS_CERTIFICATE_FILE or MUSTER_AUTHORITY_TLS_KEY_FILE is missing.',
    remedy: 'Give both files: product keys must not travel in the clear.',
  });
}

function addChecks(readiness: Readiness, database: Database, certificate: ServerCertificate | undefined): void {
  readiness.add({
    name: 'database',
    required: true,
    look: async () => {
      const [row] = await database.query<{ readonly writable: boolean }>(probeStatement);
      return row?.writable ? { ok: true } : { ok: false, detail: 'the database takes no changes' };
    },
  });
  if (certificate === undefined) return;
  readiness.add({
    name: 'public certificate',
    required: false,
    look: () => {
      if (certificate.problem !== undefined) return { ok: false, detail: certificate.problem };
      const ended = certificate.expiresAtMs <= systemClock.nowMs();
      return ended ? { ok: false, detail: 'the certificate has ended' } : { ok: true };
    },
  });
}
