import { type Database, openPgliteInMemory } from '@muster/database';
import { ManualClock } from '@muster/service-kit';
import { decodeActivationRequest, makeProductKey } from '@muster/trust';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DocumentAuthority, kmsKeyOf } from '../testing/document-authority.ts';
import {
  dayMs,
  emptyPolicy,
  noonMs,
  openPolicy,
  openWindowsPolicy,
  otherVendor,
  productKeysOf,
  vendor,
} from '../testing/policy.ts';
import type { ProductKeys } from './product-keys.ts';
import type { LicensingPolicyService } from './service.ts';

const keyC = kmsKeyOf(1);
const keyB = kmsKeyOf(2);
const secondKeyC = kmsKeyOf(3);
const last = (key: string) => key.slice(-5);

let database: Database;
let clock: ManualClock;
let policy: LicensingPolicyService;
let authority: DocumentAuthority;
let keys: ProductKeys;

beforeAll(async () => {
  database = await openPgliteInMemory();
});
afterAll(() => database.close());
beforeEach(async () => {
  clock = new ManualClock(noonMs);
  policy = await openWindowsPolicy(database, 'server-2008-enterprise', { clock });
  const groups = { [keyC]: 'server-group-c', [keyB]: 'server-group-b', [secondKeyC]: 'server-group-c' };
  authority = new DocumentAuthority(clock, groups);
  keys = productKeysOf(policy, database, { clock, authority });
});

const groupsInForce = () => policy.state.keys.map(({ productGroup }) => productGroup);

describe('a KMS key', () => {
  test('is installed once, however it is typed, and kept sealed', async () => {
    const installed = await keys.install(keyC.toLowerCase().replaceAll('-', ' '));
    expect(installed).toMatchObject({ lastFive: last(keyC), installedAtMs: noonMs, activation: undefined });
    clock.advance(dayMs);
    expect(await keys.install(keyC)).toEqual(installed);
    const again = productKeysOf(await openPolicy(database), database, { clock, authority });
    expect(await again.list()).toEqual([installed]);
    const [{ rows } = { rows: '' }] = await database.query<{ rows: string }>({
      name: 'test.rows_as_text',
      text: `select string_agg(row_to_json(product_key)::text, '') as rows from policy.product_key`,
    });
    for (const secret of [keyC, keyC.replaceAll('-', '')]) {
      expect(rows).not.toContain(secret);
      expect(rows).not.toContain(Buffer.from(secret).toString('hex'));
    }
  });

  test('with a typing error is refused at its place, and a MAK is, before anything is kept', async () => {
    const wrong = keyC.replace(/^(.{7})(.)/, (_, front, character) => front + (character === '7' ? '8' : '7'));
    await expect(keys.install(wrong)).rejects.toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringContaining('character 2 of block 2'),
    });
    const mak = makeProductKey('MAK', new Uint8Array(14).fill(1));
    const refusal: Error = await keys.install(mak).catch((error) => error);
    expect(refusal).toMatchObject({ code: 'KEY_INVALID', message: expect.stringContaining('MAK') });
    expect(refusal.message).not.toContain(mak);
    expect(await keys.list()).toEqual([]);
  });

  test('is named by its last five characters, its id, or by being the only one', async () => {
    const { id } = await keys.install(keyC);
    for (const name of ['', last(keyC).toLowerCase(), id, id.toUpperCase()]) {
      expect((await keys.activate(name)).key.id).toBe(id);
    }
    await expect(keys.activate('ABCDE')).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    clock.advance(1_000);
    await keys.install(keyB);
    await expect(keys.activate('')).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      remedy: expect.stringContaining(`${last(keyC)}, ${last(keyB)}`),
    });
    // Whoever types the whole key where its end was asked for does not find it in an error.
    const refusal: Error = await keys.activate(keyB).catch((error) => error);
    expect(`${refusal.message} ${JSON.stringify(refusal)}`).not.toContain(keyB);
  });
});

describe('an online activation', () => {
  test('puts the certificate in force, and is not made twice unless it is wanted', async () => {
    await keys.install(keyC);
    const { revision } = policy.state;
    const { key, use } = await keys.activate('');
    expect(key.activation).toMatchObject({ productGroup: 'server-group-c', key: 'KMS_C', vendor: 'Example Vendor' });
    expect(use).toEqual({ used: 1, limit: 10 });
    expect(policy.state).toMatchObject({ revision: revision + 1, keys: [{ productGroup: 'server-group-c' }] });
    expect(await keys.activate('')).toEqual({ key, use: undefined });
    expect(policy.state.revision).toBe(revision + 1);
    clock.advance(dayMs);
    expect((await keys.activate('', true)).use).toEqual({ used: 2, limit: 10 });
    expect(policy.state.revision).toBe(revision + 2);
  });

  test('whose answer was lost is the same one when it is repeated, also by another process', async () => {
    await keys.install(keyC);
    authority.losesAnswers = true;
    for (let attempt = 0; attempt < 3; attempt += 1) {
      await expect(keys.activate('', true)).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        remedy: expect.stringContaining('--offline'),
      });
    }
    authority.losesAnswers = false;
    const again = productKeysOf(await openPolicy(database, { clock }), database, { clock, authority });
    expect(await again.list()).toMatchObject([{ isRequested: true }]);
    expect((await again.activate('')).use?.used).toBe(1);
    expect(await again.list()).toMatchObject([{ isRequested: false }]);
    expect(authority.activations.size).toBe(1);
  });

  test('asked for by many at once uses one', async () => {
    await keys.install(keyC);
    const answers = await Promise.all(Array.from({ length: 8 }, () => keys.activate('')));
    expect(new Set(answers.map(({ key }) => key.activation?.hostCertificate)).size).toBe(1);
    expect(authority.activations.size).toBe(1);
  });

  test.each([
    'KEY_HOST_LIMIT',
    'KEY_ACTIVATION_LIMIT',
    'KEY_WRONG_HOST_PLATFORM',
    'KEY_REVOKED',
    'KEY_EXPIRED',
  ] as const)('is refused as the authority refuses it: %s', async (code) => {
    await keys.install(keyC);
    authority.refusal = code;
    await expect(keys.activate('')).rejects.toMatchObject({ code });
    expect(groupsInForce()).toEqual([]);
  });

  test('by a vendor that is not trusted here is refused, and the same request is good later', async () => {
    await keys.install(keyC);
    authority.signer = otherVendor;
    await expect(keys.activate('')).rejects.toMatchObject({ code: 'UNTRUSTED_HOST' });
    expect(groupsInForce()).toEqual([]);
    await policy.trustVendor(JSON.stringify({ kty: 'OKP', crv: 'Ed25519', x: base64url(otherVendor.publicKey) }));
    await keys.activate('');
    expect(groupsInForce()).toEqual(['server-group-c']);
    expect(authority.activations.size).toBe(1);
  });

  test('whose answer comes back after its certificate has ended is asked for anew, and not for a wrong clock', async () => {
    await keys.install(keyC);
    authority.losesAnswers = true;
    await expect(keys.activate('')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    authority.losesAnswers = false;
    clock.advance(366 * dayMs);
    await expect(keys.activate('')).rejects.toMatchObject({ code: 'KEY_INVALID' });
    expect((await keys.activate('')).use?.used).toBe(2);
  });

  test('needs a platform and an authority, and uses nothing without', async () => {
    await keys.install(keyC);
    const alone = productKeysOf(policy, database, { clock });
    await expect(alone.activate('')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      remedy: expect.stringContaining('--offline'),
    });
    await emptyPolicy(database);
    const bare = productKeysOf(await openPolicy(database, { clock }), database, { clock, authority });
    await bare.install(keyC);
    await expect(bare.activate('')).rejects.toMatchObject({ code: 'CATALOGUE_NOT_FOUND' });
    expect(authority.activations.size).toBe(0);
  });
});

describe('a carried activation', () => {
  const confirmationFor = (group: string) => authority.confirm(policy.host.hostId, policy.host.publicKey, group);

  test('asks by the same block until it is confirmed, or a new one is wanted', async () => {
    await keys.install(keyC);
    const { text, key } = await keys.requestActivation('');
    expect(decodeActivationRequest(text)).toMatchObject({
      productKey: { text: keyC },
      hostId: policy.host.hostId,
      hostPlatform: 'server-2008-enterprise',
      requestedAtMs: noonMs,
    });
    expect(key.carried?.requestedAtMs).toBe(noonMs);
    clock.advance(dayMs);
    expect((await keys.requestActivation('')).text).toBe(text);
    expect((await keys.requestActivation('', true)).text).not.toBe(text);
    const present = (await keys.requestActivation('')).text;
    await policy.setPlatform('server-2008-datacenter');
    expect(decodeActivationRequest((await keys.requestActivation('')).text).hostPlatform).toBe(
      'server-2008-datacenter',
    );
    expect((await keys.requestActivation('')).text).not.toBe(present);
  });

  test('is confirmed once and again, and a new request comes after it', async () => {
    await keys.install(keyC);
    const { text } = await keys.requestActivation('');
    const confirmation = await confirmationFor('server-group-c');
    const confirmed = await keys.confirmActivation(`Dear customer,\n\n${confirmation}\nYours`, '');
    expect(confirmed).toMatchObject({ activation: { productGroup: 'server-group-c' }, carried: undefined });
    expect(groupsInForce()).toEqual(['server-group-c']);
    const { revision } = policy.state;
    expect(await keys.confirmActivation(confirmation, '')).toEqual(confirmed);
    expect(policy.state.revision).toBe(revision);
    clock.advance(dayMs);
    expect((await keys.requestActivation('')).text).not.toBe(text);
  });

  test('takes no document that is damaged, forged, ended, old, of another host, vendor or platform', async () => {
    await keys.install(keyC);
    await keys.requestActivation('');
    const good = await confirmationFor('server-group-c');
    const elsewhere = await authority.confirm(
      '00000000-0000-4000-8000-000000000000',
      policy.host.publicKey,
      'server-group-c',
    );
    const refused = async (text: string, code: string) =>
      expect(keys.confirmActivation(text, '')).rejects.toMatchObject({ code, message: expect.stringMatching(/\.$/) });
    const damaged = good.replace(/^02 {2}(.)/m, (line, first) => line.slice(0, -1) + (first === 'Z' ? '9' : 'Z'));
    await refused(damaged, 'DOCUMENT_INVALID');
    await refused('', 'DOCUMENT_INVALID');
    await refused(elsewhere, 'UNTRUSTED_HOST');
    authority.signer = otherVendor;
    await refused(await confirmationFor('server-group-c'), 'UNTRUSTED_HOST');
    authority.signer = vendor;
    authority.certificateLifeMs = 3_600_000;
    const short = await confirmationFor('server-group-c');
    clock.advance(3_600_000);
    await refused(short, 'DOCUMENT_INVALID');
    expect(groupsInForce()).toEqual([]);
    authority.certificateLifeMs = 365 * dayMs;
    await keys.confirmActivation(await confirmationFor('server-group-c'), '');
    await refused(good, 'DOCUMENT_INVALID');
    await keys.install(keyB);
    const onWeb = await openWindowsPolicy(database, 'windows-vista', { clock });
    const vista = productKeysOf(onWeb, database, { clock, authority });
    await vista.install(keyB);
    const wrong = await authority.confirm(onWeb.host.hostId, onWeb.host.publicKey, 'server-group-b');
    await expect(vista.confirmActivation(wrong, '')).rejects.toMatchObject({ code: 'KEY_WRONG_HOST_PLATFORM' });
  });

  test('of two keys goes to the one that waits, or to the one that is named', async () => {
    const c = await keys.install(keyC);
    const b = await keys.install(keyB);
    await keys.requestActivation(last(keyB));
    expect((await keys.confirmActivation(await confirmationFor('server-group-b'), '')).id).toBe(b.id);
    expect((await keys.confirmActivation(await confirmationFor('server-group-c'), '')).id).toBe(c.id);
    const more = await keys.install(secondKeyC);
    await keys.install(kmsKeyOf(9));
    await keys.requestActivation(last(secondKeyC));
    await keys.requestActivation(last(kmsKeyOf(9)));
    clock.advance(1_000);
    const confirmation = await confirmationFor('server-group-c');
    await expect(keys.confirmActivation(confirmation, '')).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    expect((await keys.confirmActivation(confirmation, more.id)).id).toBe(more.id);
  });
});

describe('the removal of a key', () => {
  test('takes its certificate with it, and that of no other', async () => {
    await keys.install(keyC);
    await keys.install(keyB);
    await keys.activate(last(keyC));
    await keys.activate(last(keyB));
    expect(groupsInForce()).toEqual(['server-group-b', 'server-group-c']);
    const { revision } = policy.state;
    await keys.remove(last(keyC));
    expect(groupsInForce()).toEqual(['server-group-b']);
    expect(policy.state.revision).toBe(revision + 1);
    await expect(keys.remove(last(keyC))).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    expect((await keys.list()).map(({ lastFive }) => lastFive)).toEqual([last(keyB)]);
  });

  test('leaves the group to another key that was activated for it', async () => {
    await keys.install(keyC);
    await keys.activate(last(keyC));
    await keys.install(secondKeyC);
    clock.advance(dayMs);
    const { key } = await keys.activate(last(secondKeyC));
    expect(policy.state.keys).toMatchObject([{ hostCertificate: key.activation?.hostCertificate }]);
    await keys.remove(last(secondKeyC));
    const [first] = await keys.list();
    expect(policy.state.keys).toMatchObject([{ hostCertificate: first?.activation?.hostCertificate }]);
    await keys.remove('');
    expect(groupsInForce()).toEqual([]);
  });

  test('of one that was never activated changes nothing for gateways', async () => {
    await keys.install(keyC);
    const { revision } = policy.state;
    await keys.remove('');
    expect(policy.state.revision).toBe(revision);
  });
});

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64url');
}
