import { X509Certificate } from 'node:crypto';
import type { Role } from '@muster/contracts/methods';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CertificateAuthority, type IssuedCertificate, roleUri } from '../testing/certificate-authority.ts';
import { exchangeFile, issueFor, tlsFilesIn, writeTlsFiles } from '../testing/certificates.ts';
import { connectToCounting, serveCounting, withoutRepetition } from '../testing/counting.ts';
import { temporaryDirectory } from '../testing/loopback.ts';
import { showing } from '../testing/peers.ts';
import type { Caller } from './caller.ts';
import { createLogger } from './logger.ts';
import { TlsIdentity } from './tls-identity.ts';

/** Files are looked at and connections end so often here, where it is 5 seconds and 5 minutes in production. */
const lookEveryMs = 10;
const connectionAgeMs = 100;
const soon = { timeout: 20_000, interval: 5 };

/** An identity whose files a test exchanges, and what it logs. */
function watched(role: Role, issued: IssuedCertificate, authorities: readonly CertificateAuthority[]) {
  const directory = temporaryDirectory();
  const files = writeTlsFiles(directory, issued, authorities);
  const lines = { taken: 0, errors: 0 };
  const logger = Object.assign(createLogger('test', 'silent'), {
    info: () => {
      lines.taken += 1;
    },
    error: () => {
      lines.errors += 1;
    },
  });
  const identity = new TlsIdentity(files, role, logger, undefined, lookEveryMs);
  onTestFinished(() => identity.close());
  return {
    identity,
    files,
    lines,
    /** Puts new files in the place of the old ones and waits until they are in use. */
    async exchange(next: IssuedCertificate, trusted: readonly CertificateAuthority[]): Promise<void> {
      const before = lines.taken;
      writeTlsFiles(directory, next, trusted);
      await expect.poll(() => lines.taken > before && identity.problem === undefined, soon).toBe(true);
    },
  };
}

/** A gateway that calls counting without a pause on connections that end all the time; no call is made twice. */
async function callsUnderWay(authority: CertificateAuthority) {
  const server = watched('counting', issueFor(authority, 'counting'), [authority]);
  const client = watched('protocol-gateway', issueFor(authority, 'protocol-gateway'), [authority]);
  const seen = new Set<string>();
  const tls: Pick<TlsIdentity, 'caller' | 'serverCredentials'> = {
    caller: (certificate: Parameters<Caller>[0]) => {
      seen.add(certificate?.fingerprint256 ?? '');
      return server.identity.caller(certificate);
    },
    serverCredentials: () => server.identity.serverCredentials(),
  };
  const { address } = await serveCounting({ tls: tls as TlsIdentity, connectionAgeMs });
  const counting = connectToCounting(address, client.identity.channelCredentials('counting'), withoutRepetition);
  const outcome = { answered: 0, failures: [] as unknown[] };
  let stopped = false;
  const lane = async () => {
    while (!stopped) {
      try {
        await counting.getCounts({ rules: [] });
        outcome.answered += 1;
      } catch (error) {
        outcome.failures.push(error);
      }
    }
  };
  const lanes = Array.from({ length: 4 }, lane);
  const stop = async () => {
    stopped = true;
    await Promise.all(lanes);
    return outcome;
  };
  onTestFinished(async () => void (await stop()));
  const isSeen = ({ certificate }: IssuedCertificate) =>
    expect.poll(() => seen.has(new X509Certificate(certificate).fingerprint256), soon).toBe(true);
  return { server, client, address, outcome, stop, isSeen };
}

test('certificates of both sides change 20 times under calls, and none fails', async () => {
  const authority = new CertificateAuthority('site');
  const { server, client, stop, isSeen } = await callsUnderWay(authority);
  for (let round = 0; round < 20; round += 1) {
    const next = issueFor(authority, 'protocol-gateway');
    await server.exchange(issueFor(authority, 'counting'), [authority]);
    await client.exchange(next, [authority]);
    await isSeen(next);
  }
  const { answered, failures } = await stop();
  expect(failures).toEqual([]);
  expect(answered).toBeGreaterThan(100);
});

test('an authority follows another: both are trusted for a while, and no call fails', async () => {
  const [old, next] = [new CertificateAuthority('site'), new CertificateAuthority('site')];
  const { server, client, address, stop, isSeen } = await callsUnderWay(old);
  const ofOld = issueFor(old, 'protocol-gateway');
  const careless = () =>
    connectToCounting(address, showing(ofOld, old, next), withoutRepetition).getCounts({ rules: [] });

  await server.exchange(issueFor(old, 'counting'), [old, next]);
  await client.exchange(issueFor(old, 'protocol-gateway'), [old, next]);
  await server.exchange(issueFor(next, 'counting'), [old, next]);
  const ofNext = issueFor(next, 'protocol-gateway');
  await client.exchange(ofNext, [old, next]);
  await isSeen(ofNext);
  expect(await careless()).toEqual({ counts: [] });

  const last = issueFor(next, 'protocol-gateway');
  await server.exchange(issueFor(next, 'counting'), [next]);
  await client.exchange(last, [next]);
  await isSeen(last);
  const { failures } = await stop();
  expect(failures).toEqual([]);
  await expect(careless()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

describe('files that are wrong change nothing, are reported once, and heal:', () => {
  const authority = new CertificateAuthority('site');
  const stranger = new CertificateAuthority('stranger');
  const next = issueFor(authority, 'protocol-gateway');
  const inThePast = { notBefore: new Date(Date.now() - 7_200_000), notAfter: new Date(Date.now() - 3_600_000) };
  const uris = [roleUri('protocol-gateway')];

  test.each<[string, { ca?: string; certificate?: string; key?: string }, RegExp]>([
    ['a certificate without its key', { certificate: next.certificate }, /is not the key of/],
    ['a key without its certificate', { key: next.key }, /is not the key of/],
    ['half a certificate', { certificate: next.certificate.slice(0, 200) }, /is not whole/],
    ['an empty key', { key: '' }, /holds no private key/],
    ['no authority', { ca: '' }, /holds no certificate/],
    ['the wrong authority', { ca: stranger.certificate }, /comes from no authority/],
    ['the wrong role', issueFor(authority, 'administrator'), /does not name/],
    ['an expired certificate', authority.issue({ uris, ...inThePast }), /ended at/],
  ])('%s', async (_, wrong, problem) => {
    const { client, outcome, stop, isSeen } = await callsUnderWay(authority);
    const { caFile, certificateFile, keyFile } = client.files;
    if (wrong.ca !== undefined) exchangeFile(caFile, wrong.ca);
    if (wrong.certificate !== undefined) exchangeFile(certificateFile, wrong.certificate);
    if (wrong.key !== undefined) exchangeFile(keyFile, wrong.key);
    await expect.poll(() => client.identity.problem, soon).toMatch(problem);
    const before = outcome.answered;
    await expect.poll(() => outcome.answered > before + 50, soon).toBe(true);
    expect(client.lines.taken).toBe(0);
    const { errors } = client.lines;
    expect(errors).toBeGreaterThan(0);
    expect(errors).toBeLessThan(4); // Two files may be seen exchanged one after the other.
    const whole = issueFor(authority, 'protocol-gateway');
    await client.exchange(whole, [authority]);
    await isSeen(whole);
    expect((await stop()).failures).toEqual([]);
  });
});

test('the files have to be right at the start', () => {
  const files = tlsFilesIn(temporaryDirectory());
  expect(() => new TlsIdentity(files, 'counting', createLogger('test', 'silent'))).toThrow(
    expect.objectContaining({ code: 'TLS_INVALID', remedy: expect.stringContaining('certificate') }),
  );
});
