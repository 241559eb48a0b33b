import type { Database } from '@muster/database';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { dayMs, newHost, openHostDatabase, openTestVendor, type TestHost, type TestVendor } from './support/vendor.ts';

const hourMs = dayMs / 24;

let vendor: TestVendor;
let database: Database;
let host: TestHost;
let keyId: Uint8Array;

beforeAll(async () => {
  [vendor, database] = await Promise.all([openTestVendor(), openHostDatabase()]);
});
beforeEach(async () => {
  host = await newHost(database, vendor, { platform: 'server-2008-enterprise' });
  const issued = await vendor.issue('server-group-c');
  keyId = issued.key.keyId;
  await host.keys.install(issued.text);
  await host.keys.activate('');
});

const present = async () => {
  const [key] = await host.keys.list();
  if (key?.activation === undefined) throw new Error('the key is not activated');
  return { ...key, activation: key.activation };
};

/** Moves the clocks of both sides on, with a look of the host each hour. */
async function pass(days: number): Promise<void> {
  for (let hour = 0; hour < days * 24; hour += 1) {
    vendor.clock.advance(hourMs);
    await host.keeper.look();
  }
}

describe('the certificate of a host that reaches its vendor', () => {
  test('is renewed thirty days before its end, year after year, without using an activation', async () => {
    for (let year = 1; year <= 3; year += 1) {
      const { expiresAtMs } = (await present()).activation;
      vendor.clock.advance(expiresAtMs - 31 * dayMs - vendor.clock.nowMs());
      await host.keeper.look();
      expect((await present()).activation.expiresAtMs).toBe(expiresAtMs);
      await pass(2);
      const renewed = await present();
      expect(renewed.activation.expiresAtMs).toBeGreaterThan(expiresAtMs + 330 * dayMs);
      expect(renewed.problem).toBeUndefined();
      expect(host.policy.state.keys).toMatchObject([{ hostCertificate: renewed.activation.hostCertificate }]);
    }
    const hosts = [];
    for await (const each of vendor.administration.listHosts({ keyId })) hosts.push(each);
    expect(hosts).toMatchObject([{ activationsUsed: 1 }]);
  });

  test('is renewed no longer when the key was revoked, which is said, and it serves until its end', async () => {
    const { expiresAtMs } = (await present()).activation;
    await vendor.administration.revokeKey({ keyId, reason: 'contract ended' });
    vendor.clock.advance(expiresAtMs - 20 * dayMs - vendor.clock.nowMs());
    await host.keeper.look();
    expect(await present()).toMatchObject({ problem: { code: 'KEY_REVOKED' }, renewAtMs: undefined });
    expect(host.groupsInForce()).toEqual(['server-group-c']);
    await expect(host.keys.activate('', true)).rejects.toMatchObject({ code: 'KEY_REVOKED' });
    expect((await present()).activation.expiresAtMs).toBe(expiresAtMs);
  });

  test('ends with the key, which is said', async () => {
    const short = await vendor.issue('server-group-b', { validityDays: 200 });
    const { id } = await host.keys.install(short.text);
    const { key } = await host.keys.activate(id);
    expect(key.activation?.expiresAtMs).toBe(vendor.clock.nowMs() + 200 * dayMs);
    vendor.clock.advance(175 * dayMs);
    await host.keeper.look();
    expect((await host.keys.list()).find((each) => each.id === id)).toMatchObject({
      activation: { expiresAtMs: key.activation?.expiresAtMs },
      problem: { code: 'KEY_EXPIRED' },
    });
    await vendor.administration.changeKey({
      keyId: short.key.keyId,
      expiresAtUnixMs: vendor.clock.nowMs() + 400 * dayMs,
      hostLimit: undefined,
      activationsPerHost: undefined,
      certificateDays: undefined,
      makActivations: undefined,
    });
    await pass(2);
    expect((await host.keys.list()).find((each) => each.id === id)).toMatchObject({ problem: undefined });
  });

  test('is had again after months without a vendor', async () => {
    vendor.clock.advance(400 * dayMs);
    expect(vendor.clock.nowMs()).toBeGreaterThan((await present()).activation.expiresAtMs);
    await host.keeper.look();
    expect((await present()).activation.expiresAtMs).toBeGreaterThan(vendor.clock.nowMs() + 360 * dayMs);
  });

  test('is not renewed by the signature of another host', async () => {
    const { activation } = await present();
    const stranger = await newHost(database, vendor, { platform: 'server-2008-enterprise' });
    const renewal = {
      hostCertificate: activation.hostCertificate,
      requestId: new Uint8Array(16),
      requestedAtMs: vendor.clock.nowMs(),
    };
    const asked = vendor.authority.renewHost({
      hostCertificate: renewal.hostCertificate,
      requestId: renewal.requestId,
      requestedAtUnixMs: renewal.requestedAtMs,
      signature: stranger.policy.signRenewal(renewal),
    });
    await expect(asked).rejects.toMatchObject({ code: 'DOCUMENT_INVALID' });
  });
});
