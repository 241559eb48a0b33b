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
    gate: Promise.resolve(),
    async issueGatewayCredential(request: IssueGatewayCredentialRequest) {
      asked.push(request);
      await policy.gate;
      if (policy.away) throw new Error('policy is away');
      const [issuedAtMs, expiresAtMs] = [clock.nowMs(), clock.nowMs() + dayMs];
      const { gatewayId, publicKey: gatewayPublicKey } = request;
      const jwt = await issueGatewayCredential({ hostKey: host, gatewayId, gatewayPublicKey, issuedAtMs, expiresAtMs });
      return { gatewayCredential: jwt, issuedAtUnixMs: issuedAtMs, expiresAtUnixMs: expiresAtMs };
    },
  };
  const keeper = new CredentialKeeper(policy, 'gateway-1', clock, createLogger('test', 'silent'));
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

  test('is asked for again five seconds after a failure', async () => {
    const { clock, keeper, current, asked, policy } = keeperWithPolicy();
    policy.away = true;
    for (let attempts = 1; attempts <= 3; attempts += 1) {
      await keeper.renewWhenDue();
      expect(asked).toHaveLength(attempts);
      clock.advance(4_999);
      await keeper.renewWhenDue();
      expect(asked).toHaveLength(attempts);
      clock.advance(1);
    }
    policy.away = false;
    await keeper.renewWhenDue();
    expect(current()).toBeDefined();
  });
});
