import { Writable } from 'node:stream';
import type { Database } from '@muster/database';
import type { MusterError } from '@muster/product-groups';
import { pino } from 'pino';
import { beforeAll, describe, expect, test } from 'vitest';
import { dayMs, newHost, openHostDatabase, openTestVendor, type TestVendor } from './support/vendor.ts';

const enterprise = { platform: 'server-2008-enterprise' };

let vendor: TestVendor;
let database: Database;

beforeAll(async () => {
  [vendor, database] = await Promise.all([openTestVendor(), openHostDatabase()]);
});

/** What the vendor says of a key. */
async function useOf(keyId: Uint8Array): Promise<{ hosts: number; activations: number }> {
  let activations = 0;
  let hosts = 0;
  for await (const host of vendor.administration.listHosts({ keyId })) {
    hosts += 1;
    activations += host.activationsUsed;
  }
  return { hosts, activations };
}

describe('a KMS key activates', () => {
  test('six hosts, online and offline alike, and not the seventh', async () => {
    const { text, key } = await vendor.issue('server-group-c');
    for (let number = 1; number <= 6; number += 1) {
      const host = await newHost(database, vendor, enterprise);
      await host.keys.install(text);
      if (number % 2 === 0) {
        expect((await host.keys.activate('')).use).toEqual({ used: 1, limit: 10 });
      } else {
        const { text: request } = await host.keys.requestActivation('');
        const { confirmation } = await vendor.administration.confirmActivationRequest({ request });
        await host.keys.confirmActivation(confirmation, '');
      }
      expect(host.groupsInForce()).toEqual(['server-group-c']);
    }
    const seventh = await newHost(database, vendor, enterprise);
    await seventh.keys.install(text);
    await expect(seventh.keys.activate('')).rejects.toMatchObject({ code: 'KEY_HOST_LIMIT' });
    const { text: request } = await seventh.keys.requestActivation('');
    await expect(vendor.administration.confirmActivationRequest({ request })).rejects.toMatchObject({
      code: 'KEY_HOST_LIMIT',
    });
    expect(seventh.groupsInForce()).toEqual([]);
    expect(await useOf(key.keyId)).toEqual({ hosts: 6, activations: 6 });
    // The vendor raises the limit, and the request that was refused is good.
    await vendor.administration.changeKey({
      keyId: key.keyId,
      hostLimit: 7,
      expiresAtUnixMs: undefined,
      activationsPerHost: undefined,
      certificateDays: undefined,
      makActivations: undefined,
    });
    expect((await seventh.keys.activate('')).use?.used).toBe(1);
  });

  test('a host ten times, and not the eleventh; what it has stays in force', async () => {
    const { text, key } = await vendor.issue('server-group-c');
    const host = await newHost(database, vendor, enterprise);
    await host.keys.install(text);
    for (let number = 1; number <= 10; number += 1) {
      expect((await host.keys.activate('', true)).use).toEqual({ used: number, limit: 10 });
    }
    const before = host.policy.state;
    await expect(host.keys.activate('', true)).rejects.toMatchObject({ code: 'KEY_ACTIVATION_LIMIT' });
    const { text: request } = await host.keys.requestActivation('');
    await expect(vendor.administration.confirmActivationRequest({ request })).rejects.toMatchObject({
      code: 'KEY_ACTIVATION_LIMIT',
    });
    expect(host.policy.state).toEqual(before);
    expect(await useOf(key.keyId)).toEqual({ hosts: 1, activations: 10 });
  });

  test('no host of a platform that may not host its group, neither online nor offline', async () => {
    const { text, key } = await vendor.issue('server-group-c');
    const host = await newHost(database, vendor, { platform: 'windows-vista' });
    await host.keys.install(text);
    await expect(host.keys.activate('')).rejects.toMatchObject({ code: 'KEY_WRONG_HOST_PLATFORM' });
    const { text: request } = await host.keys.requestActivation('');
    await expect(vendor.administration.confirmActivationRequest({ request })).rejects.toMatchObject({
      code: 'KEY_WRONG_HOST_PLATFORM',
    });
    expect(await useOf(key.keyId)).toEqual({ hosts: 0, activations: 0 });
    await host.policy.setPlatform('server-2008-datacenter');
    expect((await host.keys.activate('')).use?.used).toBe(1);
  });

  test('nobody when it was revoked, has expired, or was never issued', async () => {
    const revoked = await vendor.issue('server-group-c');
    await vendor.administration.revokeKey({ keyId: revoked.key.keyId, reason: 'returned' });
    const foreign = await (await openTestVendor()).issue('server-group-c');
    const host = await newHost(database, vendor, enterprise);
    for (const [text, code] of [
      [revoked.text, 'KEY_REVOKED'],
      [foreign.text, 'KEY_INVALID'],
    ] as const) {
      const { id } = await host.keys.install(text);
      await expect(host.keys.activate(id)).rejects.toMatchObject({ code });
    }
    const short = await vendor.issue('server-group-c', { validityDays: 1 });
    vendor.clock.advance(2 * dayMs);
    const { id } = await host.keys.install(short.text);
    await expect(host.keys.activate(id)).rejects.toMatchObject({ code: 'KEY_EXPIRED' });
    expect(host.groupsInForce()).toEqual([]);
  });
});

describe('one host', () => {
  test('carries keys of two applications, and loses what a removed one brought', async () => {
    const acme = await openTestVendor({ catalogue: 'acme-suite' });
    const office = await acme.issue('office-professional', { application: 'office' });
    const data = await acme.issue('database-workgroup', { application: 'database' });
    const host = await newHost(database, acme, { platform: 'linux-server' });
    const installed = await host.keys.install(office.text);
    await host.keys.install(data.text);
    await host.keys.activate(installed.id);
    const { text: request } = await host.keys.requestActivation(data.text.slice(-5));
    const { confirmation } = await acme.administration.confirmActivationRequest({ request });
    await host.keys.confirmActivation(confirmation, '');
    expect(host.policy.state.keys.map(({ application }) => application)).toEqual(['database', 'office']);
    await host.keys.remove(installed.id);
    expect(host.policy.state.keys.map(({ application }) => application)).toEqual(['database']);
  });

  test('takes no confirmation of another host or another vendor', async () => {
    const { text } = await vendor.issue('server-group-c');
    const one = await newHost(database, vendor, enterprise);
    await one.keys.install(text);
    const { text: request } = await one.keys.requestActivation('');
    const { confirmation } = await vendor.administration.confirmActivationRequest({ request });
    const other = await newHost(database, vendor, enterprise);
    await other.keys.install(text);
    await expect(other.keys.confirmActivation(confirmation, '')).rejects.toMatchObject({ code: 'UNTRUSTED_HOST' });
    const stranger = await openTestVendor();
    const foreign = await stranger.issue('server-group-c');
    await other.keys.install(foreign.text);
    const asked = await other.keys.requestActivation(foreign.text.slice(-5));
    const answered = await stranger.administration.confirmActivationRequest({ request: asked.text });
    await expect(other.keys.confirmActivation(answered.confirmation, '')).rejects.toMatchObject({
      code: 'UNTRUSTED_HOST',
    });
    expect(other.groupsInForce()).toEqual([]);
  });
});

describe('the same request', () => {
  test('carried twice and confirmed twice uses one activation', async () => {
    const { text, key } = await vendor.issue('server-group-c');
    const host = await newHost(database, vendor, enterprise);
    await host.keys.install(text);
    const first = await host.keys.requestActivation('');
    vendor.clock.advance(dayMs);
    const second = await host.keys.requestActivation('');
    expect(second.text).toBe(first.text);
    const answers = [];
    for (const { text: request } of [first, second]) {
      answers.push(await vendor.administration.confirmActivationRequest({ request }));
    }
    for (const { confirmation } of answers) await host.keys.confirmActivation(confirmation, '');
    expect(await useOf(key.keyId)).toEqual({ hosts: 1, activations: 1 });
  });
});

test('no product key and no private key is seen in a log, an error or a database', async () => {
  const lines: string[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      lines.push(String(chunk));
      done();
    },
  });
  const logger = pino({ level: 'debug' }, sink);
  const watched = await openTestVendor({ logger });
  const issued = await watched.issue('server-group-c', { activationsPerHost: 1 });
  const host = await newHost(database, watched, { ...enterprise, logger });
  const errors: unknown[] = [];
  const attempt = (run: Promise<unknown>) => run.catch((error: unknown) => errors.push(error));
  await host.keys.install(issued.text);
  await attempt(host.keys.install(`${issued.text.slice(0, -1)}${issued.text.endsWith('7') ? '8' : '7'}`));
  await attempt(host.keys.activate(issued.text));
  await host.keys.activate('');
  await attempt(host.keys.activate('', true));
  await attempt(host.keys.remove(issued.text));
  const { text: request } = await host.keys.requestActivation('');
  await attempt(watched.administration.confirmActivationRequest({ request }));
  await watched.administration.revokeKey({ keyId: issued.key.keyId, reason: 'grep' });
  watched.clock.advance(340 * dayMs);
  await host.keeper.look();
  expect(await host.keys.list()).toMatchObject([{ problem: { code: 'KEY_REVOKED' } }]);
  expect(errors).toHaveLength(5);

  const told = errors.map((error) => {
    const { message, code, remedy, stack } = error as MusterError;
    return JSON.stringify({ message, code, remedy, stack });
  });
  const rows = [await rowsOf(database, 'policy'), await rowsOf(watched.database, 'authority')];
  const everything = [...lines, ...told, ...rows].join('\n');
  expect(everything).toContain(issued.text.slice(-5));
  const symbols = issued.text.replaceAll('-', '');
  // The first blocks alone would make the rest easy to guess.
  const secrets = [issued.text, symbols, issued.text.slice(0, 17), symbols.slice(0, 15)];
  for (const secret of secrets) {
    expect(everything).not.toContain(secret);
    expect(everything).not.toContain(Buffer.from(secret).toString('hex'));
    expect(everything).not.toContain(Buffer.from(secret).toString('base64').replace(/=+$/, ''));
  }
});

/** Every row of every table of a schema as text; bytes are hexadecimal digits there. */
async function rowsOf(from: Database, schema: string): Promise<string> {
  const tables = await from.query<{ name: string }>(
    {
      name: 'test.tables',
      text: `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables where schemaname = $1`,
    },
    [schema],
  );
  const texts: string[] = [];
  for (const { name } of tables) {
    const rows = await from.query<{ row: string }>({
      name: `test.rows ${name}`,
      text: `select row_to_json(each)::text as row from ${name} as each`,
    });
    texts.push(...rows.map(({ row }) => row));
  }
  return texts.join('\n');
}
