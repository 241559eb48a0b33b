import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { Role } from '@muster/contracts/methods';
import { MusterError } from '@muster/product-groups';
import { roleOf } from './caller.ts';

/** Where a service finds its certificate and whom it trusts. PEM files, read again whenever they change. */
export interface TlsFiles {
  /** The authorities whose certificates are accepted, one or several. */
  readonly caFile: string;
  /** The own certificate with its chain. */
  readonly certificateFile: string;
  readonly keyFile: string;
  /** The domain of the roles: `spiffe://<trust domain>/<role>`. */
  readonly trustDomain: string;
}

/** The contents of the files. */
export interface TlsMaterial {
  readonly ca: Buffer;
  readonly certificate: Buffer;
  readonly key: Buffer;
  /** When the own certificate ends, milliseconds since 1970. */
  readonly expiresAtMs: number;
}

/**
 * Reads the files of a service and checks that others of its site would accept them.
 *
 * @param role which the certificate must name.
 * @throws MusterError `TLS_INVALID` when a file cannot be read or is not whole, when key and certificate do not belong
 * together, and when the certificate names another role, is not valid now, or comes from none of the authorities.
 */
export function readTlsMaterial(files: TlsFiles, role: Role, nowMs: number): TlsMaterial {
  const { caFile, certificateFile, keyFile, trustDomain } = files;
  const [ca, certificate, key] = [read(caFile), read(certificateFile), read(keyFile)];
  const authorities = certificatesIn(ca, caFile);
  const chain = certificatesIn(certificate, certificateFile);
  const own = chain[0] as X509Certificate;
  const subjectaltname = own.subjectAltName ?? '';
  if (roleOf({ subjectaltname }, trustDomain) !== role) {
    const found = subjectaltname || 'nothing';
    throw invalid(`${certificateFile} does not name spiffe://${trustDomain}/${role} as its only URI, but ${found}`);
  }
  if (!own.checkPrivateKey(privateKeyIn(key, keyFile)))
    throw invalid(`${keyFile} is not the key of ${certificateFile}`);
  const expiresAtMs = own.validToDate.getTime();
  if (nowMs < own.validFromDate.getTime()) {
    throw invalid(`${certificateFile} is not valid before ${own.validFromDate.toISOString()}`);
  }
  if (nowMs > expiresAtMs) throw invalid(`${certificateFile} ended at ${own.validToDate.toISOString()}`);
  if (!comesFrom(own, chain, authorities)) throw invalid(`${certificateFile} comes from no authority in ${caFile}`);
  try {
    createSecureContext({ ca, cert: certificate, key });
  } catch (error) {
    throw invalid(`${caFile}, ${certificateFile} and ${keyFile} cannot be used: ${(error as Error).message}`, error);
  }
  return { ca, certificate, key, expiresAtMs };
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw invalid(`${file} cannot be read: ${(error as Error).message}`, error);
  }
}

/** Every certificate of a file, at least one. A file that is only half written holds less than it begins. */
function certificatesIn(pem: Buffer, file: string): readonly X509Certificate[] {
  const text = pem.toString('latin1');
  const begun = text.split('-----BEGIN CERTIFICATE-----').length - 1;
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (begun === 0) throw invalid(`${file} holds no certificate`);
  if (blocks.length !== begun) throw invalid(`${file} is not whole`);
  try {
    return blocks.map((block) => new X509Certificate(block));
  } catch (error) {
    throw invalid(`${file} holds a certificate that is damaged: ${(error as Error).message}`, error);
  }
}

function privateKeyIn(pem: Buffer, file: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw invalid(`${file} holds no private key: ${(error as Error).message}`, error);
  }
}

/** Whether the chain of a certificate ends with one of the authorities, as TLS wants it: in a root (RFC 5280, 6.1). */
function comesFrom(
  own: X509Certificate,
  chain: readonly X509Certificate[],
  authorities: readonly X509Certificate[],
): boolean {
  const known = [...authorities, ...chain];
  let certificate = own;
  for (let length = 0; length <= known.length; length += 1) {
    const issuer = known.find((each) => issued(each, certificate));
    if (issuer === undefined) return false;
    if (issued(issuer, issuer)) return authorities.includes(issuer);
    certificate = issuer;
  }
  return false;
}

function issued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function invalid(message: string, cause?: unknown): MusterError {
  return new MusterError({ code: 'TLS_INVALID', message: `${message}.`, ...(cause === undefined ? {} : { cause }) });
}
