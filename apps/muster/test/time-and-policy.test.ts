import { createChainMemory, verifyActivationReply } from '@muster/wire-codec';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from './support/cleanup.ts';
import { desktops, newMachine } from './support/machines.ts';
import { frameOf, type RawConnection, requestOf } from './support/raw-connection.ts';
import { startTestSite, type TestSite } from './support/test-site.ts';

const hourMs = 60 * 60 * 1000;
const dayMs = 24 * hourMs;

let site: TestSite;

beforeAll(async () => {
  // A kept connection may be silent for days here.
  site = await startTestSite({ limits: { idleMs: 400 * dayMs } });
  await site.askEach(desktops(25));
});

describe('the credential of the gateway', () => {
  const memory = createChainMemory();
  let connection: RawConnection;

  const askOn = async () => {
    const request = requestOf(newMachine(), site.clock.nowMs());
    await connection.write(frameOf(request));
    const reply = await connection.nextReply();
    const { vendorKeys, clock } = site;
    const { code } = await verifyActivationReply({ reply, request, vendorKeys, nowMs: clock.nowMs(), memory });
    return { code, credential: reply.gatewayCredential, certificate: reply.hostCertificate };
  };

  test('is renewed at half of its life, and a kept connection gets the new one in its next reply', async () => {
    connection = await site.connectRaw();
    const first = await askOn();
    expect(first).toEqual({ code: 'GRANTED', credential: expect.any(String), certificate: expect.any(String) });
    const second = await askOn();
    expect(second).toEqual({ code: 'GRANTED', credential: undefined, certificate: undefined });

    const firstExpiryMs = site.site.gateway.credentialExpiresAtMs;
    expect(firstExpiryMs - site.clock.nowMs()).toBeGreaterThan(23 * hourMs);
    expect(firstExpiryMs - site.clock.nowMs()).toBeLessThanOrEqual(24 * hourMs);
    // Its life is 24 hours, so half of it is left now, but for a millisecond.
    await site.advance(firstExpiryMs - 12 * hourMs - site.clock.nowMs() - 1);
    expect(await askOn()).toMatchObject({ credential: undefined });
    await site.advance(1);
    await until(() => site.site.gateway.credentialExpiresAtMs > firstExpiryMs, 'the credential is renewed');

    const renewed = await askOn();
    expect(renewed).toEqual({ code: 'GRANTED', credential: expect.any(String), certificate: undefined });
    expect(renewed.credential).not.toBe(first.credential);
    expect(await askOn()).toEqual({ code: 'GRANTED', credential: undefined, certificate: undefined });
  });

  test('is had anew after two days without a sweep, and the kept connection is served', async () => {
    await site.advance(2 * dayMs);
    expect(await askOn()).toEqual({ code: 'GRANTED', credential: expect.any(String), certificate: undefined });
    connection.destroy();
  });
});

describe('the intervals of an application', () => {
  test('are overridden by the host in the next replies, for grants and refusals, and on kept connections', async () => {
    const connection = await site.connect();
    expect(await connection.activate(newMachine())).toMatchObject({
      activationIntervalMinutes: 120,
      renewalIntervalMinutes: 10_080,
    });
    const override = { activationIntervalMinutes: 15, renewalIntervalMinutes: 43_200 };
    await site.site.policy.overrideIntervals('windows', override);
    await until(
      async () => (await connection.activate(newMachine())).activationIntervalMinutes === 15,
      'the override is in force',
    );
    expect(await connection.activate(newMachine())).toMatchObject({ code: 'GRANTED', ...override });
    expect(await site.ask(newMachine({ edition: 'windows-98' }))).toMatchObject({
      code: 'PRODUCT_NOT_COVERED',
      ...override,
    });
    connection.close();
  });

  test.each([
    { activationIntervalMinutes: 14 },
    { activationIntervalMinutes: 43_201 },
    { renewalIntervalMinutes: 14 },
    { renewalIntervalMinutes: 43_201 },
    { renewalIntervalMinutes: 20.5 },
  ])('are not overridden by %o', async (override) => {
    await expect(site.site.policy.overrideIntervals('windows', override)).rejects.toMatchObject({
      code: 'SETTING_INVALID',
      remedy: expect.stringMatching(/./),
    });
  });
});

describe('a clock that is set back by an hour, behind the renewal of the credential', () => {
  test('finds the credential before, which still serves, and clients are answered without a pause', async () => {
    const { gateway } = site.site;
    const before = gateway.credentialExpiresAtMs;
    await site.advance(13 * hourMs);
    await until(() => gateway.credentialExpiresAtMs > before, 'the renewed credential');
    site.clock.set(site.clock.nowMs() - hourMs);
    expect(gateway.credentialExpiresAtMs).toBe(before);
    expect((await site.ask(newMachine({ edition: 'vista-enterprise' }))).activationId).toMatch(/./);
  });
});

// Last, because the site answers nothing after it.
describe('the certificate of the host', () => {
  test('lets the host grant until it expires, a year after it was issued', async () => {
    const [key] = site.site.policy.state.keys;
    const leftMs = (key?.expiresAtMs ?? 0) - site.clock.nowMs();
    await site.advance(leftMs - 1);
    await site.askEach(desktops(24));
    expect(await site.ask(newMachine())).toMatchObject({ code: 'GRANTED', count: 25 });
  });

  test('past its expiry leaves the host not activated: clients are told so, and nobody is counted', async () => {
    const before = await site.count();
    await site.advance(1);
    for (const machine of desktops(2)) {
      await expect(site.ask(machine)).rejects.toMatchObject({
        code: 'HOST_NOT_ACTIVATED',
        remedy: expect.stringMatching(/./),
      });
    }
    await site.advance(dayMs);
    await expect(site.ask(newMachine())).rejects.toMatchObject({ code: 'HOST_NOT_ACTIVATED' });
    expect((await site.count()).machinesKnown).toBe(before.machinesKnown);
  });
});
