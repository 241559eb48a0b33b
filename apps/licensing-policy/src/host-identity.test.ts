import { sign, verify } from 'node:crypto';
import { type Database, openPgliteInMemory } from '@muster/database';
import { afterAll, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { emptyPolicy, keyEncryptionKey, noonMs } from '../testing/policy.ts';
import { loadHostIdentity } from './host-identity.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let database: Database;

beforeAll(async () => {
  database = await openPgliteInMemory();
});
afterAll(() => database.close());
beforeEach(() => emptyPolicy(database));

const load = () => loadHostIdentity(database, keyEncryptionKey, noonMs);

test('a host has the same id and the same key whenever it starts', async () => {
  const made = await load();
  expect(made.hostId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  const opened = await load();
  expect([opened.hostId, opened.key.publicKey]).toEqual([made.hostId, made.key.publicKey]);
  const text = Buffer.from('a text');
  const [first, second] = [made, opened].map(({ key }) => sign(null, text, key.privateKey));
  expect(second).toEqual(first);
});

test('a host of another database is another host', async () => {
  const one = await load();
  await emptyPolicy(database);
  const other = await load();
  expect(other.hostId).not.toBe(one.hostId);
  expect(other.key.publicKey).not.toEqual(one.key.publicKey);
});

test('replicas that start together at the first start are one host', async () => {
  const hosts = await Promise.all(Array.from({ length: 5 }, load));
  expect(new Set(hosts.map(({ hostId }) => hostId)).size).toBe(1);
  expect(new Set(hosts.map(({ key }) => Buffer.from(key.publicKey).toString('hex'))).size).toBe(1);
  const rows = await database.query({ name: 'test.hosts', text: 'select host_id from policy.host' });
  expect(rows).toHaveLength(1);
});

test('another key-encryption key is refused, and the identity stays as it is', async () => {
  const made = await load();
  const refused = { code: 'DOCUMENT_INVALID', message: expect.stringContaining('key encryption key') };
  await expect(loadHostIdentity(database, new Uint8Array(32).fill(1), noonMs)).rejects.toMatchObject(refused);
  await expect(loadHostIdentity(database, new Uint8Array(16), noonMs)).rejects.toMatchObject(refused);
  expect((await load()).hostId).toBe(made.hostId);
});

test('a sealed key that was moved to another host id is refused', async () => {
  await load();
  await database.query({ name: 'test.move', text: 'update policy.host set host_id = gen_random_uuid()' });
  await expect(load()).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' });
});

test('the key that is loaded signs for the public key that vendors certify', async () => {
  const { key } = await load();
  const publicKey = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key.publicKey).toString('base64url') };
  const text = Buffer.from('a text');
  const signature = sign(null, text, key.privateKey);
  expect(verify(null, text, { key: publicKey, format: 'jwk' }, signature)).toBe(true);
});
