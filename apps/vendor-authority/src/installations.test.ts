import { randomBytes } from 'node:crypto';
import { verifyMakConfirmation } from '@muster/trust';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  all,
  dayMs,
  engines,
  issueKms,
  issueMak,
  newInstallation,
  noonMs,
  openAuthority,
  openVendor,
  refusalOf,
  type TestDatabase,
  trusted,
} from '../testing/authority.ts';

describe.each(Object.entries(engines))('on %s, a MAK', (_name, open) => {
  let on: TestDatabase;
  let authority: Awaited<ReturnType<typeof openVendor>>;
  beforeAll(async () => {
    on = await open();
  });
  afterAll(() => on.stop());
  beforeEach(async () => {
    authority = await openVendor(on.database);
  });

  const confirm = (productKey: string, installation = newInstallation(), application = 'windows') =>
    authority.service.confirmInstallation({ productKey, application, installation, remoteAddress: '' });

  async function used(keyId: Uint8Array = new Uint8Array()): Promise<number> {
    const listed = await all(authority.administration.listInstallations({ keyId }));
    const { makActivationsUsed } = await authority.administration.getKey({ keyId });
    expect(listed).toHaveLength(makActivationsUsed);
    return makActivationsUsed;
  }

  test('confirms an installation for good, and once: a reinstall uses nothing', async () => {
    const { productKey, key } = await issueMak(authority);
    const installation = newInstallation();
    const first = await confirm(productKey, installation);
    expect(first.remaining).toBe(49);
    expect(await verifyMakConfirmation(first.confirmation, trusted(authority.vendor))).toEqual({
      vendor: 'Example Vendor',
      vendorKeyId: expect.any(String),
      installationId: Buffer.from(installation.installationId),
      application: 'windows',
      productGroup: 'vista-vl',
      edition: 'vista-enterprise',
      confirmedAtMs: noonMs,
    });
    authority.clock.advance(dayMs);
    expect(await confirm(productKey, installation)).toEqual(first);
    expect(await used(key?.keyId)).toBe(1);
  });

  test('serves the editions of its own group, and of no group below it', async () => {
    const { productKey, key } = await issueMak(authority, { productGroup: 'server-group-b' });
    await confirm(productKey, newInstallation('server-2008-standard'));
    const others: readonly [string, string][] = [
      ['windows', 'vista-enterprise'],
      ['windows', 'server-2008-datacenter'],
      ['windows', 'no-such-edition'],
      ['office', 'server-2008-standard'],
      ['windows', ''],
    ];
    for (const [application, edition] of others) {
      expect(await refusalOf(confirm(productKey, newInstallation(edition), application))).toBe('MAK_WRONG_GROUP');
    }
    expect(await used(key?.keyId)).toBe(1);
  });

  test('that is used up confirms only what it had confirmed', async () => {
    const { productKey, key } = await issueMak(authority, { makActivations: 2 });
    const first = newInstallation();
    await confirm(productKey, first);
    expect((await confirm(productKey)).remaining).toBe(0);
    expect(await refusalOf(confirm(productKey))).toBe('MAK_EXHAUSTED');
    expect((await confirm(productKey, first)).remaining).toBe(0);
    const keyId = key?.keyId ?? new Uint8Array();
    await authority.administration.changeKey({ keyId, makActivations: 3 });
    expect((await confirm(productKey)).remaining).toBe(0);
    await authority.administration.changeKey({ keyId, makActivations: 1 });
    expect(await refusalOf(confirm(productKey))).toBe('MAK_EXHAUSTED');
    expect((await confirm(productKey, first)).remaining).toBe(0);
    expect(await used(keyId)).toBe(3);
  });

  test('that has expired confirms nothing new, and one that was revoked nothing at all', async () => {
    const { productKey, key } = await issueMak(authority, { validityDays: 1 });
    const installation = newInstallation();
    const first = await confirm(productKey, installation);
    authority.clock.advance(dayMs);
    expect(await refusalOf(confirm(productKey))).toBe('KEY_EXPIRED');
    expect(await confirm(productKey, installation)).toEqual(first);
    await authority.administration.revokeKey({ keyId: key?.keyId ?? new Uint8Array(), reason: '' });
    expect(await refusalOf(confirm(productKey, installation))).toBe('KEY_REVOKED');
    expect(await refusalOf(confirm(productKey))).toBe('KEY_REVOKED');
  });

  test('that never was, or is a KMS key, is told so in the same words', async () => {
    const { productKey } = await issueKms(authority);
    const elsewhere = await issueMak(authority);
    await openVendor(on.database);
    const messages = new Set<string>();
    for (const each of [productKey, elsewhere.productKey]) {
      const error = await confirm(each).catch((refusal) => refusal);
      expect(error).toMatchObject({ code: 'MAK_INVALID' });
      messages.add(error.message);
    }
    expect(messages.size).toBe(1);
    expect(await refusalOf(confirm('M0000-00000'))).toBe('MAK_INVALID');
  });

  test('confirms a batch each for itself, in its order', async () => {
    const { productKey, key } = await issueMak(authority, { makActivations: 2 });
    const [one, two, three] = [newInstallation(), newInstallation(), newInstallation()];
    const installations = [
      one,
      { edition: 'vista-enterprise', installationId: new Uint8Array(31) },
      newInstallation('web-server-2008'),
      one,
      two,
      three,
    ];
    const batch = { productKey, application: 'windows', installations };
    const { results, remaining } = await authority.service.confirmInstallations(batch);
    expect(results.map(({ code }) => code)).toEqual(['', 'INPUT_INVALID', 'MAK_WRONG_GROUP', '', '', 'MAK_EXHAUSTED']);
    expect(results[3]).toEqual(results[0]);
    expect(results.map(({ confirmation, message }) => (confirmation === '') !== (message === ''))).toEqual(
      Array(6).fill(true),
    );
    expect(remaining).toBe(0);
    expect(await authority.service.confirmInstallations(batch)).toEqual({ results, remaining: 0 });
    expect(await used(key?.keyId)).toBe(2);
  });

  test('confirms 256 at once and no more', async () => {
    const { productKey, key } = await issueMak(authority, { makActivations: 300 });
    const installations = Array.from({ length: 257 }, () => newInstallation());
    const batch = (count: number) =>
      authority.service.confirmInstallations({
        productKey,
        application: 'windows',
        installations: installations.slice(0, count),
      });
    expect(await refusalOf(batch(257))).toBe('INPUT_INVALID');
    expect(await refusalOf(batch(0))).toBe('INPUT_INVALID');
    const { results, remaining } = await batch(256);
    expect(new Set(results.map(({ confirmation }) => confirmation)).size).toBe(256);
    expect(remaining).toBe(44);
    expect(await used(key?.keyId)).toBe(256);
  });

  test('confirms an installation id for one edition only', async () => {
    const { productKey, key } = await issueMak(authority);
    const { installationId } = newInstallation();
    await confirm(productKey, { edition: 'vista-enterprise', installationId });
    expect(await refusalOf(confirm(productKey, { edition: 'vista-business', installationId }))).toBe('INPUT_INVALID');
    expect(await used(key?.keyId)).toBe(1);
  });

  test('with 50 left confirms exactly 50 of 200 that ask at the same time', async () => {
    const { productKey, key } = await issueMak(authority, { makActivations: 60 });
    for (let index = 0; index < 10; index += 1) await confirm(productKey);
    const replicas = [authority, await openAuthority(await on.another()), await openAuthority(await on.another())];
    const codes = await Promise.all(
      Array.from({ length: 200 }, (_, index) => {
        const installation = { edition: 'vista-business', installationId: randomBytes(32) };
        const request = { productKey, application: 'windows', installation, remoteAddress: '' };
        const { service } = replicas[index % replicas.length] ?? authority;
        return refusalOf(service.confirmInstallation(request));
      }),
    );
    expect(codes.filter((code) => code === 'not refused')).toHaveLength(50);
    expect(codes.filter((code) => code === 'MAK_EXHAUSTED')).toHaveLength(150);
    expect(await used(key?.keyId)).toBe(60);
  });
});
