import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import {
  type LicensingPolicy,
  type PolicySnapshot,
  LicensingPolicyService as ServiceDefinition,
} from '@muster/contracts/policy';
import { type Database, openPgliteInMemory } from '@muster/database';
import type { ApplicationId, ProductGroupId } from '@muster/product-groups';
import { addToServer, connectTo, ManualClock } from '@muster/service-kit';
import { publicKeyToJwk, signCatalogue, verifyGatewayCredential } from '@muster/trust';
import { formatUuid } from '@muster/wire-codec';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  certify,
  dayMs,
  editionsOf,
  emptyPolicy,
  keyEncryptionKey,
  keyOf,
  noonMs,
  openPolicy,
  openWindowsPolicy,
  otherVendor,
  textOf,
  vendor,
  windowsText,
} from '../testing/policy.ts';
import { loadHostIdentity } from './host-identity.ts';
import type { LicensingPolicyService } from './service.ts';
import { readPolicyStatement } from './statements.ts';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

let database: Database;

beforeAll(async () => {
  database = await openPgliteInMemory();
});
afterAll(() => database.close());

/** Expects a refusal of a code that changes nothing: neither here, nor in the database, nor for gateways. */
async function expectRefused(policy: LicensingPolicyService, attempt: Promise<unknown>, code: string, message: RegExp) {
  const before = policy.state;
  const watcher = policy.watchSnapshots({ gatewayId: 'gateway-1' })[Symbol.asyncIterator]();
  await watcher.next();
  const next = watcher.next();
  await expect(attempt).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  expect(policy.state).toBe(before);
  expect((await openPolicy(database)).state).toEqual(before);
  policy.close();
  expect(await next).toEqual({ done: true, value: undefined });
}

describe('the host', () => {
  test('is the same after a restart, with all that was installed', async () => {
    const policy = await openWindowsPolicy(database);
    await policy.installHostCertificate(await certify(policy, 'server-group-c'));
    await policy.overrideIntervals('windows', { renewalIntervalMinutes: 60 });
    const again = await openPolicy(database);
    expect(again.host).toEqual(policy.host);
    expect(again.state).toEqual(policy.state);
    expect((await again.catalogue())?.id).toBe('windows-2008');
  });

  test('does not start with another key-encryption key', async () => {
    await openWindowsPolicy(database);
    const other = openPolicy(database, { keyEncryptionKey: new Uint8Array(32) });
    await expect(other).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' });
  });

  test('takes no platform that the catalogue does not know, and keeps the one it had', async () => {
    const policy = await openWindowsPolicy(database);
    await expect(policy.setPlatform('commodore-64')).rejects.toMatchObject({
      code: 'SETTING_INVALID',
      remedy: expect.stringContaining('kms-for-windows-server-2003'),
    });
    expect(policy.host.platform).toBe('server-2008-enterprise');
    expect((await openPolicy(database)).host.platform).toBe('server-2008-enterprise');
  });
});

describe('vendors and catalogues', () => {
  test('a new host trusts nobody, has no catalogue and says so', async () => {
    await emptyPolicy(database);
    const policy = await openPolicy(database);
    expect(policy.state).toEqual({
      revision: 1,
      hostPlatform: '',
      vendorKeys: [],
      signedCatalogue: '',
      keys: [],
      intervalOverrides: [],
    });
    expect(await policy.catalogue()).toBeUndefined();
    for (const attempt of [
      policy.setPlatform('web-server-2008'),
      policy.checkPlatform('windows' as ApplicationId, 'vista-vl' as ProductGroupId),
      policy.overrideIntervals('windows', {}),
    ]) {
      await expect(attempt).rejects.toMatchObject({ code: 'CATALOGUE_NOT_FOUND' });
    }
  });

  test('trusting a vendor again changes nothing', async () => {
    const policy = await openWindowsPolicy(database);
    const { revision } = policy.state;
    await policy.trustVendor(` ${publicKeyToJwk(vendor.publicKey)}\n`);
    expect(policy.state.revision).toBe(revision);
    await policy.trustVendor(publicKeyToJwk(otherVendor.publicKey));
    expect(policy.state).toMatchObject({ revision: revision + 1, vendorKeys: { length: 2 } });
  });

  test('what is no public key is not trusted', async () => {
    const policy = await openWindowsPolicy(database);
    const privateKey = JSON.stringify(vendor.privateKey.export({ format: 'jwk' }));
    await expectRefused(policy, policy.trustVendor(privateKey), 'DOCUMENT_INVALID', /Ed25519 public key/);
  });

  test('a catalogue of a vendor that is not trusted is refused, and taken once the vendor is trusted', async () => {
    const policy = await openWindowsPolicy(database);
    const signed = await signCatalogue({ text: textOf('acme-suite'), vendor: otherVendor });
    await expect(policy.installCatalogue(signed)).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' });
    expect((await policy.catalogue())?.id).toBe('windows-2008');
    await policy.trustVendor(publicKeyToJwk(otherVendor.publicKey));
    expect((await policy.installCatalogue(signed)).id).toBe('acme-suite');
    expect(policy.state.signedCatalogue).toBe(signed);
  });

  test('a catalogue that breaks a rule is refused although it is signed', async () => {
    const policy = await openWindowsPolicy(database);
    const signed = await signCatalogue({ text: windowsText.replace('threshold: 25', 'threshold: 0'), vendor });
    await expectRefused(policy, policy.installCatalogue(signed), 'CATALOGUE_INVALID', /breaks a rule/);
  });

  test('a catalogue whose validity is shorter than the renewal that the host has set is refused', async () => {
    const policy = await openWindowsPolicy(database);
    await policy.overrideIntervals('windows', { renewalIntervalMinutes: 20_160 });
    const text = windowsText.replace('validityDays: 180', 'validityDays: 14');
    const install = policy.installCatalogue(await signCatalogue({ text, vendor }));
    await expectRefused(policy, install, 'SETTING_INVALID', /renewalIntervalMinutes of 20160/);
  });
});

describe('a host certificate', () => {
  test('activates a key, and the same key again takes its place', async () => {
    const policy = await openWindowsPolicy(database);
    const { revision } = policy.state;
    const first = await certify(policy, 'server-group-c');
    await policy.installHostCertificate(first);
    const key = { application: 'windows', productGroup: 'server-group-c', key: 'KMS_C', vendor: 'Example Vendor' };
    expect(policy.state).toMatchObject({
      revision: revision + 1,
      keys: [{ ...key, hostCertificate: first, expiresAtMs: noonMs + 365 * dayMs }],
    });
    const second = await certify(policy, 'server-group-c', { expiresAtMs: noonMs + 730 * dayMs });
    await policy.installHostCertificate(second);
    await policy.installHostCertificate(await certify(policy, 'server-group-b'));
    expect(policy.state.keys.map(({ key: kind, expiresAtMs }) => [kind, (expiresAtMs - noonMs) / dayMs])).toEqual([
      ['KMS_B', 365],
      ['KMS_C', 730],
    ]);
  });

  test('may cover fewer editions than its group serves', async () => {
    const policy = await openWindowsPolicy(database);
    await policy.installHostCertificate(await certify(policy, 'server-group-c', { editions: ['vista-business'] }));
    expect(policy.state.keys).toHaveLength(1);
  });

  const otherHost = '3f2b8c1e-7a4d-4e6f-9b0a-1c2d3e4f5a6b';
  test.each<[string, string, Parameters<typeof certify>[2], string, RegExp]>([
    ['of another host', 'server-group-c', { hostId: otherHost }, 'KEY_INVALID', /belongs to the host 3f2b8c1e/],
    ['for another key', 'server-group-c', { hostPublicKey: keyOf(7).publicKey }, 'KEY_INVALID', /another key/],
    ['that has expired', 'server-group-c', { issuedAtMs: noonMs - dayMs, expiresAtMs: noonMs }, 'KEY_INVALID', /time/],
    ['that is not valid yet', 'server-group-c', { issuedAtMs: noonMs + 1000 }, 'KEY_INVALID', /time/],
    [
      'with more editions than its group serves',
      'server-group-b',
      { editions: editionsOf('server-group-c') },
      'KEY_INVALID',
      /server-2008-datacenter, which server-group-b does not serve/,
    ],
    [
      'of a group that the catalogue has not',
      'server-group-z',
      { editions: ['vista-business'] },
      'KEY_INVALID',
      /server-group-z/,
    ],
    ['of an application that the catalogue has not', 'vista-vl', { application: 'office' }, 'KEY_INVALID', /office/],
    ['that may not be hosted here', 'vista-vl', {}, 'KEY_WRONG_HOST_PLATFORM', /KMS key \(Vista VL\)/],
    ['of a vendor that is not trusted', 'server-group-c', { vendorKey: otherVendor }, 'UNTRUSTED_HOST', /vendor|key/],
  ])('%s is refused and changes nothing', async (_, productGroup, change, code, message) => {
    const policy = await openWindowsPolicy(database);
    await policy.installHostCertificate(await certify(policy, 'server-group-c'));
    const certificate = await certify(policy, productGroup, change);
    await expectRefused(policy, policy.installHostCertificate(certificate), code, message);
  });

  test('that is no certificate is refused', async () => {
    const policy = await openWindowsPolicy(database);
    await expectRefused(policy, policy.installHostCertificate('a.b.c'), 'UNTRUSTED_HOST', /certificate/);
  });

  test('is refused while the host has not said on which platform it runs', async () => {
    await openWindowsPolicy(database);
    await database.query({ name: 'test.forget_platform', text: `update policy.host set platform = ''` });
    const policy = await openPolicy(database);
    const install = policy.installHostCertificate(await certify(policy, 'server-group-c'));
    await expectRefused(policy, install, 'KEY_WRONG_HOST_PLATFORM', /a host without a platform/);
  });
});

describe('the intervals of a host', () => {
  test('reach the snapshot, and fall back to the catalogue where they are left out', async () => {
    const policy = await openWindowsPolicy(database);
    await policy.overrideIntervals('windows', { activationIntervalMinutes: 15, renewalIntervalMinutes: 43_200 });
    expect(await present(policy)).toMatchObject({
      intervalOverrides: [{ application: 'windows', activationIntervalMinutes: 15, renewalIntervalMinutes: 43_200 }],
    });
    await policy.overrideIntervals('windows', { renewalIntervalMinutes: 60 });
    const [override] = (await present(policy)).intervalOverrides;
    expect(override).toEqual({
      application: 'windows',
      activationIntervalMinutes: undefined,
      renewalIntervalMinutes: 60,
    });
  });

  test.each([14, 43_201, 60.5, Number.NaN, -60, 0])('cannot be %d minutes', async (minutes) => {
    for (const name of ['activationIntervalMinutes', 'renewalIntervalMinutes']) {
      const policy = await openWindowsPolicy(database);
      const message = new RegExp(`^${name} must be a whole number of minutes from 15 to 43200`);
      await expectRefused(policy, policy.overrideIntervals('windows', { [name]: minutes }), 'SETTING_INVALID', message);
    }
  });

  test('are those of an application of the catalogue', async () => {
    const policy = await openWindowsPolicy(database);
    const override = policy.overrideIntervals('office', { renewalIntervalMinutes: 60 });
    await expectRefused(policy, override, 'SETTING_INVALID', /no application office/);
  });
});

describe('snapshots', () => {
  test('say everything that a gateway judges by', async () => {
    const policy = await openWindowsPolicy(database);
    const hostCertificate = await certify(policy, 'server-group-c');
    await policy.installHostCertificate(hostCertificate);
    const snapshot = await present(policy);
    expect({ ...snapshot, hostId: formatUuid(snapshot.hostId) }).toEqual({
      revision: policy.state.revision,
      hostId: policy.host.hostId,
      vendorKeys: [publicKeyToJwk(vendor.publicKey)],
      signedCatalogue: policy.state.signedCatalogue,
      hostKeys: [
        {
          application: 'windows',
          productGroup: 'server-group-c',
          key: 'KMS_C',
          hostCertificate,
          expiresAtUnixMs: noonMs + 365 * dayMs,
        },
      ],
      intervalOverrides: [],
    });
  });

  test('come at once, then with each change, to a slow watcher at least the last; close ends them', async () => {
    const policy = await openWindowsPolicy(database);
    const { revision } = policy.state;
    const [watcher, slow] = [policy, policy].map((each) =>
      each.watchSnapshots({ gatewayId: 'gateway-1' })[Symbol.asyncIterator](),
    );
    expect((await slow?.next())?.value.revision).toBe(revision);
    expect((await watcher?.next())?.value.revision).toBe(revision);
    for (const minutes of [30, 60, 90]) {
      const next = watcher?.next();
      await policy.overrideIntervals('windows', { renewalIntervalMinutes: minutes });
      expect((await next)?.value.intervalOverrides).toMatchObject([{ renewalIntervalMinutes: minutes }]);
    }
    expect((await slow?.next())?.value.revision).toBe(revision + 3);
    policy.close();
    expect((await watcher?.next())?.done).toBe(true);
    expect((await slow?.next())?.done).toBe(true);
  });

  test('never go back when an earlier change is read after a later one', async () => {
    await openWindowsPolicy(database);
    const hold = Promise.withResolvers<void>();
    let reads = 0;
    // The engine is real; only the way of the first answer is slow.
    const slowly: Database = {
      ...database,
      query: async (statement, parameters) => {
        const rows = await database.query(statement, parameters);
        if (statement === readPolicyStatement && ++reads === 2) await hold.promise;
        return rows as never;
      },
    };
    const policy = await openPolicy(slowly);
    const { revision } = policy.state;
    const earlier = policy.overrideIntervals('windows', { renewalIntervalMinutes: 30 });
    await expect.poll(() => reads).toBe(2);
    await policy.overrideIntervals('windows', { renewalIntervalMinutes: 60 });
    hold.resolve();
    await earlier;
    expect(policy.state.revision).toBe(revision + 2);
    expect(await present(policy)).toMatchObject({ intervalOverrides: [{ renewalIntervalMinutes: 60 }] });
  });

  test('and credentials cross gRPC as they are', async () => {
    const policy = await openWindowsPolicy(database);
    await policy.installHostCertificate(await certify(policy, 'server-group-c'));
    const remote = await connectOverGrpc(policy);
    const watcher = remote.watchSnapshots({ gatewayId: 'gateway-1' })[Symbol.asyncIterator]();
    const first: PolicySnapshot = (await watcher.next()).value;
    expect({ ...first, hostId: new Uint8Array(first.hostId) }).toEqual(await present(policy));
    const next = watcher.next();
    await policy.overrideIntervals('windows', { activationIntervalMinutes: 60 });
    expect((await next).value).toMatchObject({
      revision: first.revision + 1,
      intervalOverrides: [{ application: 'windows', activationIntervalMinutes: 60, renewalIntervalMinutes: undefined }],
    });
    const { gatewayCredential } = await remote.issueGatewayCredential({
      gatewayId: 'g',
      publicKey: keyOf(3).publicKey,
    });
    expect((await verifyGatewayCredential(gatewayCredential, policy.host.publicKey)).gatewayId).toBe('g');
    await expect(remote.issueGatewayCredential({ gatewayId: 'g', publicKey: new Uint8Array(3) })).rejects.toMatchObject(
      {
        code: 'DOCUMENT_INVALID',
      },
    );
    policy.close();
    expect((await watcher.next()).done).toBe(true);
  });
});

describe('a gateway credential', () => {
  test('lives 24 hours from five minutes ago, is for the key of the gateway, and is signed by the host', async () => {
    const clock = new ManualClock(noonMs);
    const policy = await openWindowsPolicy(database, undefined, { clock });
    clock.advance(3_600_000);
    const issued = await policy.issueGatewayCredential({ gatewayId: 'gateway-1', publicKey: keyOf(3).publicKey });
    const issuedAtMs = noonMs + 3_600_000 - 5 * 60_000;
    const times = { issuedAtMs, expiresAtMs: issuedAtMs + dayMs };
    expect(issued).toMatchObject({ issuedAtUnixMs: times.issuedAtMs, expiresAtUnixMs: times.expiresAtMs });
    const verified = await verifyGatewayCredential(issued.gatewayCredential, policy.host.publicKey);
    expect(verified).toMatchObject({ gatewayId: 'gateway-1', ...times });
    expect(Buffer.from(verified.gatewayPublicKey)).toEqual(Buffer.from(keyOf(3).publicKey));
    await expect(verifyGatewayCredential(issued.gatewayCredential, keyOf(4).publicKey)).rejects.toMatchObject({
      code: 'UNTRUSTED_HOST',
    });
  });

  test.each([
    ['a key that is none', { gatewayId: 'gateway-1', publicKey: new Uint8Array(31) }],
    ['a gateway without a name', { gatewayId: '', publicKey: keyOf(3).publicKey }],
    ['a gateway whose name could break a line', { gatewayId: 'a\nb', publicKey: keyOf(3).publicKey }],
  ])('is not issued for %s', async (_, request) => {
    const policy = await openWindowsPolicy(database);
    await expect(policy.issueGatewayCredential(request)).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' });
  });
});

test('no private key and no secret stands in a table, a log line, a snapshot or a credential', async () => {
  const lines: string[] = [];
  const logger = pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) });
  const policy = await openWindowsPolicy(database, undefined, { logger });
  await policy.installHostCertificate(await certify(policy, 'server-group-c'));
  const credential = await policy.issueGatewayCredential({ gatewayId: 'gateway-1', publicKey: keyOf(3).publicKey });
  await policy.installHostCertificate('a.b.c').catch(() => undefined);
  await openPolicy(database, { logger, keyEncryptionKey: new Uint8Array(32) }).catch((error) => logger.error(error));
  expect(lines.length).toBeGreaterThan(0);

  const { key } = await loadHostIdentity(database, keyEncryptionKey, noonMs);
  const seed = Buffer.from(key.privateKey.export({ format: 'jwk' }).d ?? '', 'base64url');
  expect(seed).toHaveLength(32);
  const rows = await allRowsOf('policy');
  const told = [...rows, ...lines, JSON.stringify(credential), JSON.stringify(await present(policy))].join('\n');
  // The texts are there to be searched.
  expect(told).toContain(policy.host.hostId);
  for (const secret of [seed, Buffer.from(keyEncryptionKey)]) {
    for (const encoding of ['hex', 'base64', 'base64url', 'latin1'] as const) {
      expect(told.toLowerCase()).not.toContain(secret.toString(encoding).toLowerCase());
    }
  }
});

async function present(policy: LicensingPolicyService): Promise<PolicySnapshot> {
  for await (const snapshot of policy.watchSnapshots({ gatewayId: 'gateway-1' })) return snapshot;
  throw new Error('the policy is closed');
}

async function connectOverGrpc(policy: LicensingPolicyService): Promise<LicensingPolicy> {
  const server = new Server();
  addToServer(server, ServiceDefinition, policy);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  const plain = credentials.createInsecure();
  const { service, close } = connectTo<LicensingPolicy>(ServiceDefinition, `127.0.0.1:${port}`, plain);
  onTestFinished(() => {
    close();
    server.forceShutdown();
  });
  return service;
}

/** Every row of every table of a schema, as text. */
async function allRowsOf(schema: string): Promise<readonly string[]> {
  const tables = await database.query<{ name: string }>(
    { name: 'test.tables', text: 'select table_name as name from information_schema.tables where table_schema = $1' },
    [schema],
  );
  const rows: string[] = [];
  for (const { name } of tables) {
    const text = `select row::text as text from ${schema}."${name}" as row`;
    for (const row of await database.query<{ text: string }>({ name: `test.rows_of_${name}`, text }))
      rows.push(row.text);
  }
  expect(rows.length).toBeGreaterThan(4);
  return rows;
}
