import { randomBytes } from 'node:crypto';
import {
  decodeActivationConfirmation,
  encodeActivationRequest,
  type HostCertificate,
  parseProductKey,
  publicKeyFromJwk,
  signHostRenewal,
  vendorKeys,
  verifyHostCertificate,
} from '@muster/trust';
import { formatUuid } from '@muster/wire-codec';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  activationOf,
  administrator,
  all,
  dayMs,
  engines,
  issueKms,
  issueMak,
  newHost,
  noonMs,
  openAuthority,
  openVendor,
  refusalOf,
  type TestDatabase,
  type TestHost,
  trusted,
  windowsText,
} from '../testing/authority.ts';

const serverB = [
  'vista-business',
  'vista-enterprise',
  'web-server-2008',
  'server-2008-standard',
  'server-2008-enterprise',
];

describe.each(Object.entries(engines))('on %s, a host', (_name, open) => {
  let on: TestDatabase;
  let authority: Awaited<ReturnType<typeof openVendor>>;
  beforeAll(async () => {
    on = await open();
  });
  afterAll(() => on.stop());
  beforeEach(async () => {
    authority = await openVendor(on.database);
  });

  const activate = (productKey: string, host: TestHost, requestId?: Uint8Array) =>
    authority.service.activateHost(activationOf(productKey, host, requestId));
  const verify = (jwt: string): Promise<HostCertificate> => verifyHostCertificate(jwt, trusted(authority.vendor));

  /** What a host signs to renew its certificate. */
  function renewalOf(host: TestHost, hostCertificate: string, requestId = randomBytes(16), requestedAtMs = noonMs) {
    const signature = signHostRenewal({ hostCertificate, requestId, requestedAtMs }, host.key);
    return { hostCertificate, requestId, requestedAtUnixMs: requestedAtMs, signature };
  }

  test('gets a certificate for what its key serves, for a year', async () => {
    const { productKey } = await issueKms(authority);
    const host = newHost();
    const answer = await activate(productKey.toLowerCase().replaceAll('-', ' '), host);
    expect(answer).toMatchObject({ activationsUsed: 1, activationLimit: 10, expiresAtUnixMs: noonMs + 365 * dayMs });
    expect(await verify(answer.hostCertificate)).toMatchObject({
      vendor: 'Example Vendor',
      hostId: formatUuid(host.hostId),
      application: 'windows',
      productGroup: 'server-group-b',
      editions: serverB,
      expiresAtMs: noonMs + 365 * dayMs,
    });
  });

  test('is refused as the 7th, while the six go on', async () => {
    const { productKey, key } = await issueKms(authority);
    const hosts = Array.from({ length: 6 }, newHost);
    for (const host of hosts) await activate(productKey, host);
    expect(await refusalOf(activate(productKey, newHost()))).toBe('KEY_HOST_LIMIT');
    for (const host of hosts) expect((await activate(productKey, host)).activationsUsed).toBe(2);
    const listed = await all(authority.administration.listHosts({ keyId: key?.keyId ?? new Uint8Array() }));
    expect(new Set(listed.map(({ hostId }) => formatUuid(hostId)))).toEqual(
      new Set(hosts.map(({ hostId }) => formatUuid(hostId))),
    );
  });

  test('is refused its 11th activation, and gets the earlier ones again', async () => {
    const { productKey } = await issueKms(authority);
    const host = newHost();
    const requests = Array.from({ length: 10 }, () => randomBytes(16));
    const certificates: string[] = [];
    for (const [used, requestId] of requests.entries()) {
      authority.clock.advance(1_000);
      const answer = await activate(productKey, host, requestId);
      expect(answer.activationsUsed).toBe(used + 1);
      certificates.push(answer.hostCertificate);
    }
    expect(await refusalOf(activate(productKey, host))).toBe('KEY_ACTIVATION_LIMIT');
    expect(new Set(certificates).size).toBe(10);
    for (const [place, requestId] of requests.entries()) {
      const again = await activate(productKey, host, requestId);
      expect(again).toMatchObject({ hostCertificate: certificates[place], activationsUsed: 10 });
    }
  });

  test('that asks for something else by the same request id has asked anew', async () => {
    const { productKey } = await issueKms(authority);
    const [host, requestId] = [newHost(), randomBytes(16)];
    await activate(productKey, host, requestId);
    const rekeyed = { hostId: host.hostId, key: newHost().key };
    const answer = await activate(productKey, rekeyed, requestId);
    expect(answer.activationsUsed).toBe(2);
    expect((await verify(answer.hostCertificate)).hostPublicKey).toEqual(Buffer.from(rekeyed.key.publicKey));
  });

  test('takes one activation by one request, however often it is made at the same time', async () => {
    const { productKey } = await issueKms(authority);
    const [host, requestId] = [newHost(), randomBytes(16)];
    const other = await openAuthority(await on.another());
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? authority : other).service.activateHost(activationOf(productKey, host, requestId)),
      ),
    );
    expect(new Set(answers.map(({ hostCertificate }) => hostCertificate)).size).toBe(1);
    expect(answers.map(({ activationsUsed }) => activationsUsed)).toEqual(Array(20).fill(1));
  });

  test('is one of exactly six among thirty that ask at the same time', async () => {
    const { productKey } = await issueKms(authority);
    const other = await openAuthority(await on.another());
    const codes = await Promise.all(
      Array.from({ length: 30 }, (_, index) =>
        refusalOf((index % 2 === 0 ? authority : other).service.activateHost(activationOf(productKey, newHost()))),
      ),
    );
    expect(codes.filter((code) => code === 'not refused')).toHaveLength(6);
    expect(codes.filter((code) => code === 'KEY_HOST_LIMIT')).toHaveLength(24);
  });

  test('of a platform that the group may not be hosted on is refused', async () => {
    const { productKey, key } = await issueKms(authority);
    const wrong = { ...activationOf(productKey, newHost()), hostPlatform: 'windows-vista' };
    expect(await refusalOf(authority.service.activateHost(wrong))).toBe('KEY_WRONG_HOST_PLATFORM');
    const unknown = { ...activationOf(productKey, newHost()), hostPlatform: 'no-such-platform' };
    expect(await refusalOf(authority.service.activateHost(unknown))).toBe('KEY_WRONG_HOST_PLATFORM');
    expect(await all(authority.administration.listHosts({ keyId: key?.keyId ?? new Uint8Array() }))).toEqual([]);
  });

  test('is refused by a key that was revoked: no activation, no renewal, and no answer of before', async () => {
    const { productKey, key } = await issueKms(authority);
    const [host, requestId] = [newHost(), randomBytes(16)];
    const { hostCertificate } = await activate(productKey, host, requestId);
    await authority.administration.revokeKey({ keyId: key?.keyId ?? new Uint8Array(), reason: 'leaked' });
    expect(await refusalOf(activate(productKey, newHost()))).toBe('KEY_REVOKED');
    expect(await refusalOf(activate(productKey, host, requestId))).toBe('KEY_REVOKED');
    expect(await refusalOf(authority.service.renewHost(renewalOf(host, hostCertificate)))).toBe('KEY_REVOKED');
  });

  test('never gets a certificate that outlasts its key, and none when the key has expired', async () => {
    const { productKey } = await issueKms(authority, { validityDays: 30 });
    const host = newHost();
    const { hostCertificate } = await activate(productKey, host);
    expect((await verify(hostCertificate)).expiresAtMs).toBe(noonMs + 30 * dayMs);
    authority.clock.advance(30 * dayMs - 1);
    expect((await activate(productKey, host)).expiresAtUnixMs).toBe(noonMs + 30 * dayMs);
    authority.clock.advance(1);
    expect(await refusalOf(activate(productKey, host))).toBe('KEY_EXPIRED');
    const late = renewalOf(host, hostCertificate, randomBytes(16), noonMs + 30 * dayMs);
    expect(await refusalOf(authority.service.renewHost(late))).toBe('KEY_EXPIRED');
  });

  test('is activated by limits that the vendor has changed', async () => {
    const { productKey, key } = await issueKms(authority, { hostLimit: 1, activationsPerHost: 1 });
    const keyId = key?.keyId ?? new Uint8Array();
    const host = newHost();
    await activate(productKey, host);
    expect(await refusalOf(activate(productKey, newHost()))).toBe('KEY_HOST_LIMIT');
    expect(await refusalOf(activate(productKey, host))).toBe('KEY_ACTIVATION_LIMIT');
    await authority.administration.changeKey({ keyId, hostLimit: 2, activationsPerHost: 2, certificateDays: 7 });
    expect(await activate(productKey, newHost())).toMatchObject({ expiresAtUnixMs: noonMs + 7 * dayMs });
    expect(await activate(productKey, host)).toMatchObject({ activationsUsed: 2, activationLimit: 2 });
    await authority.administration.changeKey({ keyId, hostLimit: 1 });
    expect(await refusalOf(activate(productKey, newHost()))).toBe('KEY_HOST_LIMIT');
  });

  test('renews its certificate by its signature and uses nothing', async () => {
    const { productKey, key } = await issueKms(authority, { activationsPerHost: 1 });
    const host = newHost();
    const first = await activate(productKey, host);
    authority.clock.advance(300 * dayMs);
    const renewal = renewalOf(host, first.hostCertificate, randomBytes(16), noonMs + 300 * dayMs);
    const renewed = await authority.service.renewHost(renewal);
    expect(renewed.expiresAtUnixMs).toBe(noonMs + 665 * dayMs);
    expect(await verify(renewed.hostCertificate)).toMatchObject({ hostId: formatUuid(host.hostId), editions: serverB });
    authority.clock.advance(1_000);
    expect(await authority.service.renewHost(renewal)).toEqual(renewed);
    const [listed] = await all(authority.administration.listHosts({ keyId: key?.keyId ?? new Uint8Array() }));
    expect(listed).toMatchObject({ activationsUsed: 1, expiresAtUnixMs: noonMs + 665 * dayMs });
  });

  test('renews by an ended certificate, for what a later catalogue gives its key', async () => {
    const { productKey } = await issueKms(authority, { certificateDays: 1 });
    const host = newHost();
    const { hostCertificate } = await activate(productKey, host);
    authority.clock.advance(40 * dayMs);
    const text = windowsText.replace(/^version: 1$/m, 'version: 2').replaceAll('vista-business', 'vista-trade');
    await authority.administration.signCatalogue({ text });
    const asked = renewalOf(host, hostCertificate, randomBytes(16), noonMs + 40 * dayMs);
    const renewed = await authority.service.renewHost(asked);
    expect((await verify(renewed.hostCertificate)).editions).toContain('vista-trade');
  });

  test('is not renewed by a signature, a time or a certificate that is not its own', async () => {
    const { productKey } = await issueKms(authority);
    const [host, stranger] = [newHost(), newHost()];
    const { hostCertificate } = await activate(productKey, host);
    const renew = (request: ReturnType<typeof renewalOf>) => refusalOf(authority.service.renewHost(request));
    expect(await renew(renewalOf(stranger, hostCertificate))).toBe('DOCUMENT_INVALID');
    const honest = renewalOf(host, hostCertificate);
    expect(await renew({ ...honest, requestId: randomBytes(16) })).toBe('DOCUMENT_INVALID');
    expect(await renew({ ...honest, requestedAtUnixMs: noonMs + 1 })).toBe('DOCUMENT_INVALID');
    expect(await renew({ ...honest, signature: new Uint8Array(63) })).toBe('INPUT_INVALID');
    expect(await renew({ ...honest, hostCertificate: hostCertificate.slice(0, -3) })).toBe('UNTRUSTED_HOST');
    for (const away of [-1, 1]) {
      const time = noonMs + away * (4 * 3_600_000 + 1);
      expect(await renew(renewalOf(host, hostCertificate, randomBytes(16), time))).toBe('CLOCK_SKEW');
    }
    // The host was activated with another key since: who has the old one is not the host any more.
    await activate(productKey, { hostId: host.hostId, key: stranger.key });
    expect(await renew(renewalOf(host, hostCertificate))).toBe('HOST_NOT_ACTIVATED');
  });

  test('with several keys of its group is renewed by the one that is not revoked', async () => {
    const [first, second] = [await issueKms(authority), await issueKms(authority)];
    const host = newHost();
    await activate(first.productKey, host);
    const { hostCertificate } = await activate(second.productKey, host);
    const revoke = (keyId: Uint8Array = new Uint8Array()) => authority.administration.revokeKey({ keyId, reason: '' });
    await revoke(second.key?.keyId);
    await authority.service.renewHost(renewalOf(host, hostCertificate));
    await revoke(first.key?.keyId);
    expect(await refusalOf(authority.service.renewHost(renewalOf(host, hostCertificate)))).toBe('KEY_REVOKED');
  });

  test('without a network gets the same confirmation for the same block, by the same limits', async () => {
    const { productKey } = await issueKms(authority, { hostLimit: 1, activationsPerHost: 2 });
    const host = newHost();
    const block = (of: TestHost, requestedAtMs = noonMs) =>
      encodeActivationRequest({
        productKey: parseProductKey(productKey),
        hostId: formatUuid(of.hostId),
        hostPublicKey: of.key.publicKey,
        hostPlatform: 'server-2008-standard',
        requestedAtMs,
      });
    const confirm = (request: string) => authority.administration.confirmActivationRequest({ request }, administrator);
    const first = await confirm(block(host));
    expect(first).toMatchObject({ application: 'windows', productGroup: 'server-group-b', activationsUsed: 1 });
    const jwt = await decodeActivationConfirmation(first.confirmation, {
      hostId: formatUuid(host.hostId),
      hostPublicKey: host.key.publicKey,
      vendorKeys: vendorKeys(publicKeyFromJwk(authority.vendor.publicKeyJwk)),
      editionsOf: () => serverB,
    });
    expect(await verify(jwt)).toMatchObject({ hostId: formatUuid(host.hostId), editions: serverB });
    authority.clock.advance(dayMs);
    expect(await confirm(block(host).toLowerCase().replaceAll('  ', '   '))).toEqual(first);
    expect(await confirm(block(host, noonMs + 1_000))).toMatchObject({ activationsUsed: 2 });
    expect(await refusalOf(confirm(block(host, noonMs + 2_000)))).toBe('KEY_ACTIVATION_LIMIT');
    expect(await refusalOf(confirm(block(newHost())))).toBe('KEY_HOST_LIMIT');
    expect(await refusalOf(activate(productKey, newHost()))).toBe('KEY_HOST_LIMIT');
    expect(await refusalOf(confirm(block(host).replace(/^01.*$/m, '')))).toBe('DOCUMENT_INVALID');
  });

  test('with a key of the other kind is told the same as with one that never was', async () => {
    const { productKey } = await issueMak(authority);
    expect(await refusalOf(activate(productKey, newHost()))).toBe('KEY_INVALID');
    expect(
      await refusalOf(
        activate(
          productKey.replace(/.$/, (last) => (last === '0' ? '1' : '0')),
          newHost(),
        ),
      ),
    ).toBe('KEY_INVALID');
  });
});
