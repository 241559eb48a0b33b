import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import type { Role } from '@muster/contracts/methods';
import { type Database, openPostgresql } from '@muster/database';
import { startPostgresql } from '@muster/database/testing';
import { CertificateAuthority, issueFor, writeTlsFiles } from '@muster/service-kit/testing';
import { type AuthorityProcess, freeAddresses, startAuthority } from '@muster/vendor-authority/testing';
import { atTheEnd, temporaryDirectory } from './cleanup.ts';
import { type Finished, MusterUser } from './muster-process.ts';

/** Peers are known by their roles; that the commands check them is a matter of service-kit. */
const byRole = { checkServerIdentity: () => undefined };

/** A vendor authority as a process, with mutual TLS, and the commands of its vendor. */
export interface VendorProcess {
  readonly process: AuthorityProcess;
  /** Another handle on the authority's database. */
  readonly database: Database;
  /** `host:port` for administrators. */
  readonly address: string;
  /** What the commands have written so far, one after the other. */
  readonly told: readonly Finished[];
  /** Runs a command with the certificate of an administrator. */
  muster(parameters: readonly string[], input?: string): Promise<Finished>;
  /** The options by which a command shows a certificate of this role. */
  optionsOf(role: Role): readonly string[];
  /** Runs any command as it is. */
  run(parameters: readonly string[], input?: string): Promise<Finished>;
}

/** Starts an authority on a PostgreSQL of its own. It ends with the test file. */
export async function startVendorProcess(): Promise<VendorProcess> {
  const directory = temporaryDirectory();
  const [server, addresses] = await Promise.all([startPostgresql(), freeAddresses(3)]);
  atTheEnd(() => server.stop());
  const database = await openPostgresql({ url: server.url });
  atTheEnd(() => database.close());
  const site = new CertificateAuthority('site');
  const filesOf = (role: Role) => {
    const own = join(directory, role);
    mkdirSync(own, { recursive: true });
    return writeTlsFiles(own, issueFor(site, role), [site]);
  };
  const own = filesOf('vendor-authority');
  const administrator = issueFor(site, 'administrator');
  const process = await startAuthority(
    { database: server.url, secretFile: join(directory, 'secret'), addresses },
    {
      environment: {
        MUSTER_TLS_CA_FILE: own.caFile,
        MUSTER_TLS_CERTIFICATE_FILE: own.certificateFile,
        MUSTER_TLS_KEY_FILE: own.keyFile,
        MUSTER_AUTHORITY_TLS_CERTIFICATE_FILE: own.certificateFile,
        MUSTER_AUTHORITY_TLS_KEY_FILE: own.keyFile,
      },
      open: credentials.createSsl(Buffer.from(site.certificate), null, null, byRole),
      inner: credentials.createSsl(
        Buffer.from(site.certificate),
        Buffer.from(administrator.key),
        Buffer.from(administrator.certificate),
        byRole,
      ),
    },
  );
  atTheEnd(() => process.kill());
  const address = addresses[1] ?? '';
  const optionsOf = (role: Role) => {
    const { caFile, certificateFile, keyFile } = filesOf(role);
    return [
      ...['--authority', address, '--tls-ca', caFile],
      ...['--tls-certificate', certificateFile, '--tls-key', keyFile],
    ];
  };
  const user = new MusterUser();
  const told: Finished[] = [];
  const run = async (parameters: readonly string[], input?: string) => {
    const finished = await user.run(parameters, input);
    told.push(finished);
    return finished;
  };
  const asAdministrator = optionsOf('administrator');
  return {
    process,
    database,
    address,
    told,
    optionsOf,
    run,
    muster: (parameters, input) => run([...parameters, ...asAdministrator], input),
  };
}
