import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CertificateStore } from './certificates.ts';

test('each replica has a certificate of its own that names its role, in files that only its owner reads', () => {
  const store = newStore();
  const [one, other] = [store.filesOf('counting-1', 'counting'), store.filesOf('counting-2', 'counting')];
  expect(certificateIn(one).subjectAltName).toBe(
    'URI:spiffe://muster/counting, DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1',
  );
  expect(certificateIn(one).serialNumber).not.toBe(certificateIn(other).serialNumber);
  for (const file of [one.keyFile, one.certificateFile, one.caFile]) expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(certificateIn(one).verify(authoritiesIn(one)[0]?.publicKey ?? fail())).toBe(true);
});

test('a rotation puts another certificate and key of the same authority in place', () => {
  const store = newStore();
  const files = store.filesOf('gateway-1', 'protocol-gateway');
  const [before, keyBefore] = [certificateIn(files), readFileSync(files.keyFile, 'utf8')];
  store.rotate('gateway-1');
  expect(certificateIn(files).serialNumber).not.toBe(before.serialNumber);
  expect(readFileSync(files.keyFile, 'utf8')).not.toBe(keyBefore);
  expect(certificateIn(files).verify(authoritiesIn(files)[0]?.publicKey ?? fail())).toBe(true);
});

test('a second authority is trusted by everybody before it issues, and the first one until it is retired', () => {
  const store = newStore();
  const files = store.filesOf('gateway-1', 'protocol-gateway');
  const others = store.filesOf('counting-1', 'counting');
  const [first = fail()] = authoritiesIn(files);
  store.addAuthority();
  const [, second = fail()] = authoritiesIn(files);
  expect(authoritiesIn(others).map(({ serialNumber }) => serialNumber)).toEqual([
    first.serialNumber,
    second.serialNumber,
  ]);
  expect(certificateIn(files).verify(first.publicKey)).toBe(true);
  store.rotate('gateway-1');
  expect(certificateIn(files).verify(second.publicKey)).toBe(true);
  store.retireOldAuthorities();
  for (const each of [files, others]) {
    expect(authoritiesIn(each).map(({ serialNumber }) => serialNumber)).toEqual([second.serialNumber]);
  }
});

function newStore(): CertificateStore {
  const directory = mkdtempSync(join(tmpdir(), 'muster-certificates-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return new CertificateStore(directory);
}

function certificateIn({ certificateFile }: { readonly certificateFile: string }): X509Certificate {
  return new X509Certificate(readFileSync(certificateFile));
}

function authoritiesIn({ caFile }: { readonly caFile: string }): X509Certificate[] {
  const pems = readFileSync(caFile, 'utf8').match(/-----BEGIN.+?-----END CERTIFICATE-----/gs) ?? [];
  return pems.map((pem) => new X509Certificate(pem));
}

function fail(): never {
  throw new Error('a certificate is missing');
}
