import { randomBytes } from 'node:crypto';
import type { Database } from '@muster/database';
import { openPgliteInMemory } from '@muster/database';
import { makeProductKey } from '@muster/trust';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  activationOf,
  administrator,
  issueKms,
  issueMak,
  newHost,
  newInstallation,
  openVendor,
  refusalOf,
} from '../testing/authority.ts';

let database: Database;
beforeAll(async () => {
  database = await openPgliteInMemory();
});
afterAll(() => database.close());

const wrongKey = (kind: 'KMS' | 'MAK' = 'KMS') => makeProductKey(kind, randomBytes(14));
const from = (address: string) => ({ role: undefined, address });

test('an address that guesses is answered no more, with a right key neither; others are', async () => {
  const authority = await openVendor(database);
  const { productKey } = await issueKms(authority);
  const activate = (key: string, address: string) =>
    authority.service.activateHost(activationOf(key, newHost()), from(address));
  const codes: string[] = [];
  for (let index = 0; index < 12; index += 1) codes.push(await refusalOf(activate(wrongKey(), '192.0.2.1')));
  expect(codes).toEqual([...Array(10).fill('KEY_INVALID'), 'RATE_LIMITED', 'RATE_LIMITED']);
  const messages = await Promise.all(
    [productKey, wrongKey()].map((key) => activate(key, '192.0.2.1').catch((error: Error) => error.message)),
  );
  expect(messages[0]).toMatch(/for 60 seconds/);
  expect(messages[1]).toBe(messages[0]);
  expect((await activate(productKey, '192.0.2.2')).activationsUsed).toBe(1);
  authority.clock.advance(60_000);
  expect((await activate(productKey, '192.0.2.1')).activationsUsed).toBe(1);
});

test('typing errors are found before anything is looked up, and are no guesses', async () => {
  const authority = await openVendor(database);
  const { productKey } = await issueKms(authority);
  const typo = productKey.replace(/.$/, (last) => (last === '7' ? '8' : '7'));
  for (let index = 0; index < 30; index += 1) {
    const refused = authority.service.activateHost(activationOf(typo, newHost()), from('192.0.2.1'));
    await expect(refused).rejects.toMatchObject({
      code: 'KEY_INVALID',
      message: expect.stringMatching(/typing error/),
    });
  }
  const { activationsUsed } = await authority.service.activateHost(
    activationOf(productKey, newHost()),
    from('192.0.2.1'),
  );
  expect(activationsUsed).toBe(1);
});

test('guesses that are made at the same time gain nothing: the right one among them is not used', async () => {
  const authority = await openVendor(database);
  const { productKey, key } = await issueMak(authority);
  const keys = [...Array.from({ length: 60 }, () => wrongKey('MAK')), productKey];
  const codes = await Promise.all(
    keys.map((each) =>
      refusalOf(
        authority.service.confirmInstallations(
          { productKey: each, application: 'windows', installations: [newInstallation()] },
          from('192.0.2.1'),
        ),
      ),
    ),
  );
  expect(codes.filter((code) => code === 'MAK_INVALID')).toHaveLength(10);
  expect(codes.filter((code) => code === 'RATE_LIMITED')).toHaveLength(51);
  const { makActivationsUsed } = await authority.administration.getKey({ keyId: key?.keyId ?? new Uint8Array() });
  expect(makActivationsUsed).toBe(0);
});

test('behind a gateway each machine is counted for itself; who is no gateway cannot borrow an address', async () => {
  const authority = await openVendor(database);
  const { productKey } = await issueMak(authority);
  const ask = (key: string, remoteAddress: string, role: 'protocol-gateway' | undefined) =>
    refusalOf(
      authority.service.confirmInstallation(
        { productKey: key, application: 'windows', installation: newInstallation(), remoteAddress },
        { role, address: '10.0.0.9' },
      ),
    );
  for (let index = 0; index < 10; index += 1) await ask(wrongKey('MAK'), '192.0.2.1', 'protocol-gateway');
  expect(await ask(productKey, '192.0.2.1', 'protocol-gateway')).toBe('RATE_LIMITED');
  expect(await ask(productKey, '192.0.2.2', 'protocol-gateway')).toBe('not refused');
  for (let index = 0; index < 10; index += 1) await ask(wrongKey('MAK'), `198.51.100.${index}`, undefined);
  expect(await ask(productKey, '203.0.113.1', undefined)).toBe('RATE_LIMITED');
});

test('an administrator who hands over blocks with unknown keys is not limited', async () => {
  const authority = await openVendor(database);
  const { encodeActivationRequest, parseProductKey } = await import('@muster/trust');
  for (let index = 0; index < 15; index += 1) {
    const host = newHost();
    const request = encodeActivationRequest({
      productKey: parseProductKey(wrongKey()),
      hostId: '6a3f0d9e-0000-4000-8000-000000000000',
      hostPublicKey: host.key.publicKey,
      hostPlatform: 'server-2008-standard',
      requestedAtMs: 0,
    });
    const refused = authority.administration.confirmActivationRequest({ request }, administrator);
    expect(await refusalOf(refused)).toBe('KEY_INVALID');
  }
});

test('a key that never was and one of the other kind take the same time', async () => {
  const rates = { burst: 1_000_000, refillMs: 1 };
  const authority = await openVendor(database, { guessRates: { perAddress: rates, total: rates } });
  const { productKey } = await issueMak(authority);
  const times: Record<'other' | 'never', number[]> = { other: [], never: [] };
  const ask = async (key: string) => {
    const startMs = performance.now();
    await refusalOf(authority.service.activateHost(activationOf(key, newHost())));
    return performance.now() - startMs;
  };
  for (let index = 0; index < 400; index += 1) {
    times.other.push(await ask(productKey));
    times.never.push(await ask(wrongKey('KMS')));
  }
  const median = (list: number[]) => list.toSorted((a, b) => a - b)[list.length >> 1] ?? 0;
  expect(Math.abs(median(times.other) - median(times.never))).toBeLessThan(0.1 * median(times.never) + 0.05);
});
