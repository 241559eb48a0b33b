import type { IssueGatewayCredentialRequest } from '@muster/contracts/policy';
import { createLogger, ManualClock } from '@muster/service-kit';
import { issueGatewayCredential, verifyGatewayCredential } from '@muster/trust';
import { describe, expect, test } from 'vitest';
import { dayMs, host, noonMs } from '../testing/policy-snapshot.ts';
import { CredentialKeeper } from './credential-keeper.ts';

/** A policy that issues credentials of 24 hours by the clock, unless it is away. */
function keeperWithPolicy() {
  const clock = new ManualClock(noonMs);
  const asked: IssueGatewayCredentialRequest[] = [];
  const policy = {
    away: false,
    /** What its answers wait for. */
    gate: Promise.resolve() as Promise<void>,
    /** How far its clock is ahead of the gateway's. */
    aheadMs: 0,
    async issueGatewayCredential(request: IssueGatewayCredentialRequest) {
      asked.push(request);
      const { gate } = policy;
      await gate;
      if (policy.away) throw new Error('policy is away');
      const issuedAtMs = clock.nowMs() + policy.aheadMs;
      const expiresAtMs = issuedAtMs + dayMs;
      const { gatewayId, publicKey: gatewayPublicKey } = request;
      const jwt = await issueGatewayCredential({ hostKey: host, gatewayId, gatewayPublicKey, issuedAtMs, expiresAtMs });
      return { gatewayCredential: jwt, issuedAtUnixMs: issuedAtMs, expiresAtUnixMs: expiresAtMs };
    },
  };
  const keeper = new CredentialKeeper(policy, 'gateway-1', clock, createLogger('test', 'silent'), () => 0.5);
  const current = () => keeper.current(clock.nowMs());
  return { clock, asked, policy, keeper, current };
}

describe('the credential of a gateway', () => {
  test('is there after the first renewal, for a key that the gateway signs with', async () => {
    const { keeper, current, asked } = keeperWithPolicy();
    expect(current()).toBeUndefined();
    await keeper.renewWhenDue();
    const held = current();
    expect(held).toMatchObject({ issuedAtMs: noonMs, expiresAtMs: noonMs + dayMs });
    const verified = await verifyGatewayCredential(held?.jwt ?? '', host.publicKey);
    expect(verified.gatewayId).toBe('gateway-1');
    expect(Buffer.from(verified.gatewayPublicKey)).toEqual(Buffer.from(held?.key.publicKey ?? []));
    expect(asked).toHaveLength(1);
  });

  test('is renewed at half of its life, not before, and with a new key each time', async () => {
    const { clock, keeper, current, asked } = keeperWithPolicy();
    const keys: string[] = [];
    for (let renewals = 1; renewals <= 4; renewals += 1) {
      await keeper.renewWhenDue();
      keys.push(Buffer.from(current()?.key.publicKey ?? []).toString('hex'));
      clock.advance(dayMs / 2 - 1);
      await keeper.renewWhenDue();
      expect(asked).toHaveLength(renewals);
      clock.advance(1);
    }
    expect(new Set(keys).size).toBe(4);
    expect(asked.map(({ publicKey }) => Buffer.from(publicKey).toString('hex'))).toEqual(keys);
  });

  test('does not serve before it begins: a clock that is set back gets a new one', async () => {
    const { clock, keeper, current, asked } = keeperWithPolicy();
    await keeper.renewWhenDue();
    clock.set(noonMs - 60_000);
    expect(current()).toBeUndefined();
    await keeper.renewWhenDue();
    expect(asked).toHaveLength(2);
    expect(current()).toMatchObject({ issuedAtMs: noonMs - 60_000 });
  });

  test('is asked for once, however often it is due meanwhile', async () => {
    const { keeper, current, asked, policy } = keeperWithPolicy();
    const { promise, resolve } = Promise.withResolvers<void>();
    policy.gate = promise;
    const renewals = Array.from({ length: 5 }, () => keeper.renewWhenDue());
    resolve();
    await Promise.all(renewals);
    await keeper.renewWhenDue();
    expect(asked).toHaveLength(1);
    expect(current()).toBeDefined();
  });

  test('serves until its end while policy is away, and no longer', async () => {
    const { clock, keeper, current, policy } = keeperWithPolicy();
    await keeper.renewWhenDue();
    const held = current();
    policy.away = true;
    clock.advance(dayMs - 1);
    await keeper.renewWhenDue();
    expect(current()).toBe(held);
    clock.advance(1);
    expect(current()).toBeUndefined();
    clock.advance(5_000);
    policy.away = false;
    await keeper.renewWhenDue();
    expect(current()).toMatchObject({ issuedAtMs: noonMs + dayMs + 5_000 });
  });

  test.each([
    ['within a second while there is none', false, 750],
    ['after some seconds while one serves', true, 3_750],
  ])('is asked for again after a failure, %s', async (_, serves, pauseMs) => {
    const { clock, keeper, current, asked, policy } = keeperWithPolicy();
    if (serves) {
      await keeper.renewWhenDue();
      clock.advance(dayMs / 2);
      asked.length = 0;
    }
    policy.away = true;
    for (let attempts = 1; attempts <= 3; attempts += 1) {
      await keeper.renewWhenDue();
      expect(asked).toHaveLength(attempts);
      clock.advance(pauseMs - 1);
      await keeper.renewWhenDue();
      expect(asked).toHaveLength(attempts);
      clock.advance(1);
    }
    policy.away = false;
    await keeper.renewWhenDue();
    expect(current()?.issuedAtMs).toBe(clock.nowMs());
  });

  test('is asked for again when policy does not answer, and whichever answer comes serves', async () => {
    const { clock, keeper, current, asked, policy } = keeperWithPolicy();
    const { promise, resolve } = Promise.withResolvers<void>();
    policy.gate = promise;
    const silent = keeper.renewWhenDue();
    clock.advance(5_999);
    keeper.renewWhenDue();
    expect(asked).toHaveLength(1);
    clock.advance(1);
    await keeper.renewWhenDue();
    clock.advance(750);
    const again = keeper.renewWhenDue();
    expect(asked).toHaveLength(2);
    resolve();
    await Promise.all([silent, again]);
    expect(current()).toBeDefined();
    await keeper.renewWhenDue();
    expect(asked).toHaveLength(2);
  });

  test('that has not begun leaves the one before it in service until it begins', async () => {
    const { clock, keeper, current, asked, policy } = keeperWithPolicy();
    await keeper.renewWhenDue();
    const first = current();
    clock.advance(dayMs / 2);
    policy.aheadMs = 60_000;
    await keeper.renewWhenDue();
    expect(current()).toBe(first);
    clock.advance(59_999);
    await keeper.renewWhenDue();
    expect(current()).toBe(first);
    clock.advance(1);
    expect(current()?.issuedAtMs).toBe(clock.nowMs());
    expect(asked).toHaveLength(2);
  });

  test('that has ended already when it comes replaces nothing, and is not asked for at every look', async () => {
    const { clock, keeper, current, asked, policy } = keeperWithPolicy();
    await keeper.renewWhenDue();
    const first = current();
    clock.advance(dayMs / 2);
    policy.aheadMs = -2 * dayMs;
    for (let look = 0; look < 10; look += 1) await keeper.renewWhenDue();
    expect([current(), asked.length]).toEqual([first, 2]);
    clock.advance(3_750);
    policy.aheadMs = 0;
    await keeper.renewWhenDue();
    expect(current()?.issuedAtMs).toBe(clock.nowMs());
  });

  test('never runs out while policy answers now and then', async () => {
    const { clock, keeper, current, policy } = keeperWithPolicy();
    await keeper.renewWhenDue();
    for (let minutes = 0; minutes < 4 * 24 * 60; minutes += 1) {
      clock.advance(60_000);
      policy.away = minutes % 600 !== 0;
      await keeper.renewWhenDue();
      expect(current()).toBeDefined();
    }
  });
});
