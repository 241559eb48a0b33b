import { credentials } from '@grpc/grpc-js';
import type { Role } from '@muster/contracts/methods';
import { onTestFinished } from 'vitest';
import { createLogger } from '../src/logger.ts';
import { TlsIdentity } from '../src/tls-identity.ts';
import { type CertificateAuthority, type IssuedCertificate, roleUri } from './certificate-authority.ts';
import { issueFor, writeTlsFiles } from './certificates.ts';
import { temporaryDirectory } from './loopback.ts';

const hourMs = 60 * 60 * 1_000;
const hoursFromNow = (hours: number) => new Date(Date.now() + hours * hourMs);

/** Certificates of a role that nobody may accept, by what is wrong with them. */
export function wrongCertificates(
  authority: CertificateAuthority,
  otherAuthority: CertificateAuthority,
  role: Role,
): Readonly<Record<'transport' | 'names', Readonly<Record<string, IssuedCertificate>>>> {
  const uris = [roleUri(role)];
  return {
    // TLS itself refuses these.
    transport: {
      'of another authority': issueFor(otherAuthority, role),
      expired: authority.issue({ uris, notBefore: hoursFromNow(-48), notAfter: hoursFromNow(-1) }),
      'not yet valid': authority.issue({ uris, notBefore: hoursFromNow(1), notAfter: hoursFromNow(48) }),
    },
    // These come from the right authority and name nobody.
    names: {
      'of another trust domain': issueFor(authority, role, 'elsewhere'),
      'with two URIs': authority.issue({ uris: [roleUri(role), 'https://example.com/'] }),
      'with a second role': authority.issue({ uris: [roleUri(role), roleUri('administrator')] }),
      'with the role as a host name': authority.issue({ dnsNames: [role, `muster/${role}`] }),
      'with a URI hidden in a host name': authority.issue({ dnsNames: [`a, URI:${roleUri(role)}`] }),
      'with a URI hidden behind a quote': authority.issue({ dnsNames: [`a", URI:${roleUri(role)}, DNS:"b`] }),
      'with a URI hidden in a URI': authority.issue({ uris: [`urn:a, URI:${roleUri(role)}`] }),
      'with more behind the role': authority.issue({ uris: [`${roleUri(role)}/more`] }),
      'with a role that does not exist': authority.issue({ uris: ['spiffe://muster/nobody'] }),
      'without any name': authority.issue({ commonName: roleUri(role) }),
    },
  };
}

/** Client credentials of gRPC that show a certificate, or none, and accept whatever server. */
export function showing(issued: IssuedCertificate | undefined, ...trusted: CertificateAuthority[]) {
  const ca = Buffer.from(trusted.map(({ certificate }) => certificate).join(''));
  const [key, certificate] =
    issued === undefined ? [null, null] : [Buffer.from(issued.key), Buffer.from(issued.certificate)];
  return credentials.createSsl(ca, key, certificate, { checkServerIdentity: () => undefined });
}

/** The identity of a role, whose files are removed when the test is over. */
export function identityOf(role: Role, authority: CertificateAuthority): TlsIdentity {
  const files = writeTlsFiles(temporaryDirectory(), issueFor(authority, role), [authority]);
  const identity = new TlsIdentity(files, role, createLogger('test', 'silent'));
  onTestFinished(() => identity.close());
  return identity;
}
