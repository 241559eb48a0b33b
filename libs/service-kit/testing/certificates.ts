import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Role } from '@muster/contracts/methods';
import type { TlsFiles } from '../src/tls-material.ts';
import { type CertificateAuthority, type IssuedCertificate, roleUri } from './certificate-authority.ts';

/** The names of the files of a service in a directory. */
export function tlsFilesIn(directory: string, trustDomain = 'muster'): TlsFiles {
  return {
    caFile: join(directory, 'ca.pem'),
    certificateFile: join(directory, 'certificate.pem'),
    keyFile: join(directory, 'key.pem'),
    trustDomain,
  };
}

/**
 * Writes a certificate, its key and the authorities to trust to `tlsFilesIn(directory)`. Each file is exchanged at once,
 * and the three one after the other, as an administrator does it.
 */
export function writeTlsFiles(
  directory: string,
  { certificate, key }: IssuedCertificate,
  authorities: readonly CertificateAuthority[],
): TlsFiles {
  const files = tlsFilesIn(directory);
  exchangeFile(files.caFile, authorities.map((authority) => authority.certificate).join(''));
  exchangeFile(files.certificateFile, certificate);
  exchangeFile(files.keyFile, key);
  return files;
}

/** Puts a file in the place of another: a reader sees the old one or the new one, and never half of it. */
export function exchangeFile(path: string, content: string): void {
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** A certificate of a role on this machine. */
export function issueFor(authority: CertificateAuthority, role: Role, trustDomain?: string): IssuedCertificate {
  return authority.issue({
    commonName: role,
    uris: [roleUri(role, trustDomain)],
    dnsNames: ['localhost'],
    ipAddresses: ['127.0.0.1', '::1'],
  });
}
