import { writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { issueFor, writeTlsFiles } from '../testing/certificates.ts';
import { temporaryDirectory } from '../testing/loopback.ts';
import { wrongCertificates } from '../testing/peers.ts';
import { readTlsMaterial, type TlsFiles } from './tls-material.ts';

const authority = new CertificateAuthority('site');
const next = new CertificateAuthority('site');
const hour = 60 * 60 * 1_000;

function files(
  ...[issued = issueFor(authority, 'counting'), trusted = [authority]]: Partial<
    [Parameters<typeof writeTlsFiles>[1], Parameters<typeof writeTlsFiles>[2]]
  >
): TlsFiles {
  return writeTlsFiles(temporaryDirectory(), issued, trusted);
}

const read = (from: TlsFiles, nowMs = Date.now()) => readTlsMaterial(from, 'counting', nowMs);

test('files that belong together are taken, with one authority or several', () => {
  const notAfter = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + hour);
  const issued = authority.issue({ uris: ['spiffe://muster/counting'], notAfter });
  for (const trusted of [[authority], [next, authority]]) {
    const from = files(issued, trusted);
    expect(read(from)).toMatchObject({ certificate: Buffer.from(issued.certificate), expiresAtMs: notAfter.getTime() });
  }
});

describe('refused are files', () => {
  const refused = (from: TlsFiles, message: RegExp, nowMs?: number) =>
    expect(() => read(from, nowMs)).toThrow(
      expect.objectContaining({ code: 'TLS_INVALID', message: expect.stringMatching(message) }),
    );

  test.each(['caFile', 'certificateFile', 'keyFile'] as const)('of which %s is missing', (name) => {
    const from = { ...files(), [name]: '/nowhere/file.pem' };
    refused(from, /^\/nowhere\/file\.pem cannot be read: ENOENT.*[^.]\.$/);
  });

  test.each(['caFile', 'certificateFile'] as const)('of which %s is empty, or cut off at any place', (name) => {
    const from = files(undefined, [authority, next]);
    const issued = issueFor(authority, 'counting');
    const whole = name === 'caFile' ? authority.certificate + next.certificate : issued.certificate;
    const first = name === 'caFile' ? authority.certificate.length : 0;
    for (let length = first === 0 ? 0 : first + 40; length < whole.length - 2; length += 97) {
      writeFileSync(from[name], whole.slice(0, length));
      refused(from, /(holds no certificate|is not whole)\.$/);
    }
  });

  test('of which the key is cut off, or is text', () => {
    const from = files();
    for (const key of ['', 'secret', issueFor(authority, 'counting').key.slice(0, 90)]) {
      writeFileSync(from.keyFile, key);
      refused(from, /key\.pem holds no private key: .*[^.]\.$/);
    }
  });

  test('whose certificate is damaged inside', () => {
    const from = files();
    const { certificate } = issueFor(authority, 'counting');
    const lines = certificate.split('\n');
    writeFileSync(from.certificateFile, [lines[0], ...lines.slice(2)].join('\n'));
    refused(from, /certificate\.pem holds a certificate that is damaged/);
  });

  test('whose key belongs to another certificate', () => {
    const from = files();
    writeFileSync(from.keyFile, issueFor(authority, 'counting').key);
    refused(from, /key\.pem is not the key of .*certificate\.pem\.$/);
  });

  test('whose certificate is of another role', () => {
    refused(files(issueFor(authority, 'administrator')), /does not name spiffe:\/\/muster\/counting as its only URI/);
  });

  const { names } = wrongCertificates(authority, next, 'counting');
  test.each(Object.keys(names))('whose certificate is one %s', (kind) => {
    refused(files(names[kind]), /does not name spiffe:\/\/muster\/counting as its only URI, but .+\.$/);
  });

  test('whose certificate begins later or has ended', () => {
    const from = files();
    refused(from, /certificate\.pem is not valid before \d{4}-\d\d-\d\dT.*Z\.$/, Date.now() - 30 * 24 * hour);
    refused(from, /certificate\.pem ended at \d{4}-\d\d-\d\dT.*Z\.$/, Date.now() + 31 * 24 * hour);
  });

  test('whose certificate comes from another authority, of the same name too', () => {
    refused(files(issueFor(next, 'counting')), /certificate\.pem comes from no authority in .*ca\.pem\.$/);
  });

  test('whose certificate brings its own authority', () => {
    const { certificate, key } = issueFor(next, 'counting');
    refused(files({ certificate: certificate + next.certificate, key }), /comes from no authority/);
  });
});
