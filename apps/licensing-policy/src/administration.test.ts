import { credentials } from '@grpc/grpc-js';
import { type PolicyAdministration, PolicyAdministrationService, type PolicySnapshot } from '@muster/contracts/policy';
import { type Database, openDatabase } from '@muster/database';
import { startPostgresql } from '@muster/database/testing';
import { connectTo, createLogger, ManualClock, serveGrpc } from '@muster/service-kit';
import { publicKeyToJwk, signCatalogue } from '@muster/trust';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { type CuttableConnection, cuttable } from '../testing/cuttable-connection.ts';
import { DocumentAuthority, kmsKeyOf } from '../testing/document-authority.ts';
import { freeAddress } from '../testing/free-address.ts';
import {
  certify,
  dayMs,
  emptyPolicy,
  noonMs,
  openPolicy,
  openWindowsPolicy,
  otherVendor,
  productKeysOf,
  vendor,
  windowsText,
} from '../testing/policy.ts';
import { createPolicyAdministration } from './administration.ts';
import { followOtherReplicas } from './follow-other-replicas.ts';
import type { ProductKeysParts } from './product-keys.ts';
import type { LicensingPolicyService } from './service.ts';

let cable: CuttableConnection;
/** Two replicas have a connection each; the second one's can be cut. */
let first: Database;
let second: Database;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  const server = await startPostgresql();
  closers.push(() => server.stop());
  cable = await cuttable(server.url);
  closers.push(() => cable.close());
  first = await openDatabase(server.url);
  closers.push(() => first.close());
  second = await openDatabase(cable.url);
  closers.push(() => second.close());
});
afterAll(async () => {
  for (const close of closers.reverse()) await close();
});
beforeEach(() => {
  cable.join();
});

const soon = { timeout: 30_000 };
const vendorJwk = { publicKeyJwk: publicKeyToJwk(vendor.publicKey) };
const catalogue = async () => ({ signedCatalogue: await signCatalogue({ text: windowsText, vendor }) });

/** The administration of a replica, over gRPC. */
async function administer(
  policy: LicensingPolicyService,
  database = first,
  parts: Partial<ProductKeysParts> = {},
): Promise<PolicyAdministration> {
  const address = await freeAddress();
  const keys = productKeysOf(policy, database, parts);
  const implementation = createPolicyAdministration(policy, keys, new ManualClock(noonMs));
  const drain = await serveGrpc(address, [{ definition: PolicyAdministrationService, implementation }]);
  onTestFinished(drain);
  const plain = credentials.createInsecure();
  const { service, close } = connectTo<PolicyAdministration>(PolicyAdministrationService, address, plain);
  onTestFinished(close);
  return service;
}

describe('an administrator', () => {
  test('sets everything, and each change tells the revision that holds it', async () => {
    await emptyPolicy(first);
    const policy = await openPolicy(first);
    const administration = await administer(policy);
    const revisions = [policy.state.revision];
    const changed = async (answer: Promise<{ revision: number }>) => revisions.push((await answer).revision);
    await changed(administration.trustVendor(vendorJwk));
    await changed(administration.installCatalogue(await catalogue()));
    await changed(administration.setHostPlatform({ hostPlatform: 'server-2008-enterprise' }));
    const hostCertificate = await certify(policy, 'server-group-c');
    await changed(administration.installHostCertificate({ hostCertificate }));
    await changed(
      administration.overrideIntervals({
        application: 'windows',
        activationIntervalMinutes: 120,
        renewalIntervalMinutes: undefined,
      }),
    );
    const begun = revisions[0] ?? Number.NaN;
    expect(revisions).toEqual([0, 1, 2, 3, 4, 5].map((step) => begun + step));
    const { snapshot, hostPlatform, hostPublicKey } = await administration.getPolicy({});
    expect(hostPlatform).toBe('server-2008-enterprise');
    expect(Buffer.from(hostPublicKey)).toEqual(Buffer.from(policy.host.publicKey));
    expect(snapshot).toMatchObject({
      revision: begun + 5,
      hostId: Buffer.from(policy.host.hostId.replaceAll('-', ''), 'hex'),
      vendorKeys: [vendorJwk.publicKeyJwk],
      hostKeys: [{ productGroup: 'server-group-c', hostCertificate }],
      intervalOverrides: [{ application: 'windows', activationIntervalMinutes: 120 }],
    });
    // A change that changes nothing is answered with the revision that holds it already.
    expect(await administration.trustVendor(vendorJwk)).toEqual({ revision: begun + 5 });
  });

  test('is told by code, message and remedy what is refused', async () => {
    const policy = await openWindowsPolicy(first);
    const administration = await administer(policy);
    const { revision } = policy.state;
    const foreign = { signedCatalogue: await signCatalogue({ text: windowsText, vendor: otherVendor }) };
    const hostCertificate = await certify(policy, 'server-group-c', { hostId: '00000000-0000-4000-8000-000000000000' });
    const minutes = (activationIntervalMinutes: number) => ({
      application: 'windows',
      activationIntervalMinutes,
      renewalIntervalMinutes: undefined,
    });
    const refusals: readonly [() => Promise<unknown>, string][] = [
      [() => administration.trustVendor({ publicKeyJwk: '{}' }), 'DOCUMENT_INVALID'],
      [() => administration.trustVendor({ publicKeyJwk: '' }), 'DOCUMENT_INVALID'],
      [() => administration.installCatalogue(foreign), 'DOCUMENT_INVALID'],
      [() => administration.installCatalogue({ signedCatalogue: '' }), 'DOCUMENT_INVALID'],
      [() => administration.setHostPlatform({ hostPlatform: 'commodore-64' }), 'SETTING_INVALID'],
      [() => administration.setHostPlatform({ hostPlatform: '' }), 'SETTING_INVALID'],
      [() => administration.installHostCertificate({ hostCertificate }), 'KEY_INVALID'],
      [() => administration.installHostCertificate({ hostCertificate: 'x' }), 'UNTRUSTED_HOST'],
      [() => administration.overrideIntervals(minutes(1)), 'SETTING_INVALID'],
      [() => administration.overrideIntervals({ ...minutes(60), application: 'office' }), 'SETTING_INVALID'],
    ];
    for (const [attempt, code] of refusals) {
      await expect(attempt()).rejects.toMatchObject({
        code,
        message: expect.stringMatching(/^\S.*[^.]\.$/s),
        remedy: expect.stringMatching(/^[A-Z].*\.$/s),
      });
    }
    expect((await openPolicy(first)).state.revision).toBe(revision);
  });
});

describe('two replicas of one database', () => {
  test('that start together are one host', async () => {
    await emptyPolicy(first);
    const [a, b] = await Promise.all([openPolicy(first), openPolicy(second)]);
    expect(b.host).toEqual(a.host);
  });

  test('take the commands of one administrator in turn, each building on the one before', async () => {
    await emptyPolicy(first);
    const [a, b] = [await openPolicy(first), await openPolicy(second)];
    const [one, other] = [await administer(a), await administer(b)];
    await one.trustVendor(vendorJwk);
    await other.installCatalogue(await catalogue());
    await one.setHostPlatform({ hostPlatform: 'server-2008-enterprise' });
    const last = await other.installHostCertificate({ hostCertificate: await certify(a, 'server-group-c') });
    expect((await one.getPolicy({})).snapshot).toMatchObject({
      revision: last.revision,
      hostKeys: [{ productGroup: 'server-group-c' }],
    });
  });

  test('install and activate a key once, whoever is asked, and forget it together', async () => {
    const a = await openWindowsPolicy(first);
    const b = await openPolicy(second);
    const productKey = kmsKeyOf(1);
    const key = productKey.slice(-5);
    const authority = new DocumentAuthority(new ManualClock(noonMs), { [productKey]: 'server-group-c' });
    const [one, other] = [await administer(a, first, { authority }), await administer(b, second, { authority })];
    const installed = await Promise.all([one, other].map((each) => each.installKey({ productKey })));
    expect(new Set(installed.map(({ keyId }) => Buffer.from(keyId).toString('hex'))).size).toBe(1);
    const asked = [one, other, one, other].map((each) => each.activateKey({ key, again: false }));
    expect(await Promise.all(asked)).toMatchObject(Array(4).fill({ key: { productGroup: 'server-group-c' } }));
    expect(authority.activations.size).toBe(1);

    const { request } = await one.requestActivation({ key, renew: false });
    expect((await other.requestActivation({ key, renew: false })).request).toBe(request);
    authority.certificateLifeMs = 366 * dayMs;
    const confirmation = await authority.confirm(a.host.hostId, a.host.publicKey, 'server-group-c');
    const confirmed = await other.confirmActivation({ confirmation, key });
    expect(confirmed).toMatchObject({ lastFive: key, expiresInDays: 366, problemCode: '' });
    expect((await one.listKeys({})).keys).toMatchObject([{ lastFive: key, carriedRequestAtUnixMs: 0 }]);

    await expect(one.removeKey({ key: '' })).rejects.toMatchObject({ code: 'INPUT_INVALID' });
    const { revision } = await one.removeKey({ key });
    expect((await other.getPolicy({})).snapshot).toMatchObject({ revision, hostKeys: [] });
    expect(await other.listKeys({})).toEqual({ keys: [] });
  });

  test('tell the gateways of both what one has changed', async () => {
    const a = await openWindowsPolicy(first);
    const b = await openPolicy(second);
    const stop = followOtherReplicas(b, createLogger('test', 'silent'));
    onTestFinished(stop);
    const told: PolicySnapshot[] = [];
    const watch = async () => {
      for await (const snapshot of b.watchSnapshots({ gatewayId: 'gateway-1' })) told.push(snapshot);
    };
    const watching = watch();
    await a.overrideIntervals('windows', { renewalIntervalMinutes: 60 });
    await expect.poll(() => told.at(-1)?.revision, soon).toBe(a.state.revision);
    expect(told.at(-1)?.intervalOverrides).toMatchObject([{ application: 'windows', renewalIntervalMinutes: 60 }]);
    expect(told.length).toBe(2); // The one at the start, and the change.
    b.close();
    await watching;
  });
});

describe('a replica without its database', () => {
  test('refuses administrators, keeps gateways, says so once, and catches up by itself', async () => {
    const a = await openWindowsPolicy(first);
    const b = await openPolicy(second);
    const administration = await administer(b);
    let warnings = 0;
    const logger = Object.assign(createLogger('test', 'silent'), {
      warn: () => {
        warnings += 1;
      },
    });
    let looks = 0;
    const counted = Object.assign(Object.create(b), {
      refresh: () => {
        looks += 1;
        return b.refresh();
      },
    });
    const watcher = b.watchSnapshots({ gatewayId: 'gateway-1' })[Symbol.asyncIterator]();
    expect((await watcher.next()).value.revision).toBe(a.state.revision);
    cable.cut();
    onTestFinished(followOtherReplicas(counted, logger));
    await expect.poll(() => looks, soon).toBeGreaterThan(2);
    expect(warnings).toBe(1);
    await expect(administration.getPolicy({})).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(administration.trustVendor(vendorJwk)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    const publicKey = new Uint8Array(vendor.publicKey);
    expect(await b.issueGatewayCredential({ gatewayId: 'gateway-1', publicKey })).toMatchObject({
      gatewayCredential: expect.stringMatching(/\./),
    });
    await a.overrideIntervals('windows', { renewalIntervalMinutes: 60 });
    expect(b.state.revision).toBe(a.state.revision - 1);
    cable.join();
    expect((await watcher.next()).value).toMatchObject({
      revision: a.state.revision,
      intervalOverrides: [{ renewalIntervalMinutes: 60 }],
    });
    await expect
      .poll(() => administration.getPolicy({}).then(({ snapshot }) => snapshot?.revision), soon)
      .toBe(a.state.revision);
    // The next outage is told again.
    cable.cut();
    await expect.poll(() => warnings, soon).toBe(2);
    b.close();
  });
});
