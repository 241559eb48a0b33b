import { type Database, openPgliteInMemory } from '@muster/database';
import { ManualClock } from '@muster/service-kit';
import { pino } from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { DocumentAuthority, kmsKeyOf } from '../testing/document-authority.ts';
import { dayMs, noonMs, openPolicy, openWindowsPolicy, productKeysOf } from '../testing/policy.ts';
import { KeyKeeper, keysCheck } from './key-keeper.ts';
import type { ProductKeys } from './product-keys.ts';
import type { LicensingPolicyService } from './service.ts';

const productKey = kmsKeyOf(1);

let database: Database;
let clock: ManualClock;
let policy: LicensingPolicyService;
let authority: DocumentAuthority;
let keys: ProductKeys;
let keeper: KeyKeeper;
let log: { readonly level: number; readonly msg: string; readonly expiresInDays?: number }[];

const logger = () => pino({ level: 'info' }, { write: (line: string) => log.push(JSON.parse(line)) });
const warnings = () => log.filter(({ level, msg }) => level === 40 && msg.includes('certificate of a KMS key'));
const check = async () => keysCheck(policy.state.keys, await keys.list(), clock.nowMs());

beforeAll(async () => {
  database = await openPgliteInMemory();
});
afterAll(() => database.close());
beforeEach(async () => {
  log = [];
  clock = new ManualClock(noonMs);
  policy = await openWindowsPolicy(database, 'server-2008-enterprise', { clock });
  authority = new DocumentAuthority(clock, { [productKey]: 'server-group-c' });
  const parts = { policy, database, clock, logger: logger(), random: () => 0.5 };
  keys = productKeysOf(policy, database, { ...parts, authority });
  keeper = new KeyKeeper({ ...parts, keys });
  await keys.install(productKey);
  await keys.activate('');
});

/** Moves the clock so many days on, with a look each hour. */
async function pass(days: number): Promise<void> {
  for (let hour = 0; hour < days * 24; hour += 1) {
    clock.advance(3_600_000);
    await keeper.look();
  }
}

describe('a host that reaches its vendor', () => {
  test('renews its certificate once, from thirty days before the end, and gateways hear of it', async () => {
    clock.advance(335 * dayMs - 1);
    await keeper.look();
    expect(authority.renewals).toBe(0);
    const { revision } = policy.state;
    await pass(1);
    expect(authority.renewals).toBe(1);
    expect(policy.state.revision).toBe(revision + 1);
    const [key] = await keys.list();
    expect(key?.activation?.expiresAtMs).toBeGreaterThan(noonMs + 699 * dayMs);
    expect(policy.state.keys).toMatchObject([{ hostCertificate: key?.activation?.hostCertificate }]);
    expect(authority.activations.size).toBe(1);
    await pass(3);
    expect(authority.renewals).toBe(1);
    expect(await check()).toMatchObject({ ok: true });
  });

  test('tries once a day while it fails, shows why, and stops when the key was revoked', async () => {
    clock.advance(335 * dayMs);
    let tries = 0;
    const { renewHost } = authority;
    authority.renewHost = (request) => {
      tries += 1;
      return renewHost.call(authority, request);
    };
    authority.refusal = 'UNAVAILABLE';
    await pass(10);
    expect(tries).toBeGreaterThanOrEqual(8);
    expect(tries).toBeLessThanOrEqual(12);
    expect(await keys.list()).toMatchObject([
      { problem: { code: 'UNAVAILABLE', message: 'The authority refuses it.' } },
    ]);
    expect(await check()).toMatchObject({ ok: false, detail: expect.stringMatching(/ends in 20 days.*UNAVAILABLE/) });
    authority.refusal = 'KEY_REVOKED';
    await pass(3);
    expect(await keys.list()).toMatchObject([{ problem: { code: 'KEY_REVOKED' }, renewAtMs: undefined }]);
    const triesUntilRevoked = tries;
    authority.refusal = undefined;
    await pass(3);
    expect(tries).toBe(triesUntilRevoked);
    // Whoever has it activated again, by another or by the same key, renews it as before.
    await keys.activate('', true);
    expect(await keys.list()).toMatchObject([{ problem: undefined, renewAtMs: expect.any(Number) }]);
  });

  test('goes on after the certificate has ended', async () => {
    authority.refusal = 'UNAVAILABLE';
    clock.advance(366 * dayMs);
    await keeper.look();
    expect(await check()).toMatchObject({ ok: false, detail: expect.stringContaining('has ended') });
    authority.refusal = undefined;
    await pass(2);
    expect(await check()).toMatchObject({ ok: true });
  });

  test('renews by one replica of several', async () => {
    const other = await openPolicy(database, { clock });
    const parts = { policy: other, database, clock, logger: logger() };
    const second = new KeyKeeper({ ...parts, keys: productKeysOf(other, database, { ...parts, authority }) });
    clock.advance(336 * dayMs);
    await Promise.all([keeper.look(), second.look()]);
    expect(authority.renewals).toBe(1);
    await second.look();
    expect(other.state).toEqual(policy.state);
  });

  test('takes no certificate that lasts no longer, and says that the key ends', async () => {
    clock.advance(336 * dayMs);
    authority.certificateLifeMs = 20 * dayMs;
    const before = policy.state.keys;
    await keeper.look();
    expect(policy.state.keys).toEqual(before);
    expect(await keys.list()).toMatchObject([{ problem: { code: 'KEY_EXPIRED' } }]);
  });

  test('renews a certificate of a day before it ends', async () => {
    authority.certificateLifeMs = dayMs;
    clock.advance(dayMs);
    await keys.activate('', true);
    await pass(5);
    expect(policy.state.keys[0]?.expiresAtMs).toBeGreaterThan(clock.nowMs() + dayMs / 3);
  });
});

describe('a host without a vendor', () => {
  test('is warned of the end once a day, from thirty days before it', async () => {
    const alone = productKeysOf(policy, database, { clock });
    keeper = new KeyKeeper({ policy, database, clock, logger: logger(), keys: alone });
    clock.advance(335 * dayMs - 1);
    await keeper.look();
    expect(warnings()).toEqual([]);
    expect(await check()).toMatchObject({ ok: true });
    clock.advance(1);
    await keeper.look();
    expect(warnings()).toMatchObject([{ expiresInDays: 30, msg: 'the certificate of a KMS key ends soon' }]);
    await pass(2);
    expect(warnings()).toMatchObject([{ expiresInDays: 30 }, { expiresInDays: 29 }, { expiresInDays: 28 }]);
    clock.advance(28 * dayMs);
    await keeper.look();
    expect(warnings().at(-1)?.msg).toBe('the certificate of a KMS key has ended');
    expect(authority.renewals).toBe(0);
  });

  test('says when no key is active', async () => {
    await keys.remove('');
    expect(await check()).toEqual({ ok: false, detail: 'no KMS key is active' });
  });
});

test('no log line holds the product key', async () => {
  clock.advance(340 * dayMs);
  authority.refusal = 'UNAVAILABLE';
  await keeper.look();
  await keys.activate('', true).catch(() => undefined);
  const text = JSON.stringify(log);
  expect(text).toContain(productKey.slice(-5));
  expect(text).not.toContain(productKey);
  expect(text).not.toContain(productKey.replaceAll('-', ''));
});
