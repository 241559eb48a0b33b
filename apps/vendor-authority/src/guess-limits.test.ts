import { ManualClock } from '@muster/service-kit';
import { expect, test } from 'vitest';
import { GuessLimits } from './guess-limits.ts';
import { networkOf } from './network-of.ts';

const rates = { perAddress: { burst: 3, refillMs: 60_000 }, total: { burst: 20, refillMs: 1_000 } };

function opened() {
  const clock = new ManualClock(0);
  const limits = new GuessLimits(clock, rates);
  const guess = (address: string, times = 1) => {
    for (let index = 0; index < times; index += 1) limits.wrong(address);
  };
  const secondsOf = (address: string): number => {
    try {
      limits.check(address);
      return 0;
    } catch (error) {
      expect(error).toMatchObject({ code: 'RATE_LIMITED' });
      return Number(/for (\d+) seconds/.exec((error as Error).message)?.[1]);
    }
  };
  return { clock, limits, guess, secondsOf };
}

test('an address may be wrong so often at once, and then once a minute', () => {
  const { clock, guess, secondsOf } = opened();
  guess('192.0.2.1', 2);
  expect(secondsOf('192.0.2.1')).toBe(0);
  guess('192.0.2.1');
  expect(secondsOf('192.0.2.1')).toBe(60);
  expect(secondsOf('192.0.2.2')).toBe(0);
  clock.advance(59_999);
  expect(secondsOf('192.0.2.1')).toBe(1);
  clock.advance(1);
  expect(secondsOf('192.0.2.1')).toBe(0);
  guess('192.0.2.1');
  expect(secondsOf('192.0.2.1')).toBe(60);
});

test('keys that were asked at the same time do not prolong the wait without end', () => {
  const { clock, guess, secondsOf } = opened();
  guess('192.0.2.1', 10);
  expect(secondsOf('192.0.2.1')).toBe(60);
  clock.advance(3 * 60_000);
  guess('192.0.2.1', 2);
  expect(secondsOf('192.0.2.1')).toBe(0);
});

test('when there are too many in total, one is enough; who has none is not refused', () => {
  const { clock, guess, secondsOf } = opened();
  guess('192.0.2.200');
  for (let index = 0; index < 19; index += 1) guess(`192.0.2.${index}`);
  expect(secondsOf('192.0.2.200')).toBe(60);
  expect(secondsOf('198.51.100.1')).toBe(0);
  clock.advance(2_000);
  expect(secondsOf('192.0.2.200')).toBe(0);
});

test('an IPv6 guesser is counted by its network', () => {
  const { guess, secondsOf } = opened();
  for (let index = 0; index < 3; index += 1) guess(`2001:db8:0:1::${index + 1}`);
  expect(secondsOf('2001:db8:0:1:ffff:ffff:ffff:ffff')).toBe(60);
  expect(secondsOf('2001:db8:0:2::1')).toBe(0);
});

test('a million addresses are not remembered all', () => {
  const { limits, guess } = opened();
  for (let index = 0; index < 1_000_000; index += 1) guess(`a${index}`);
  expect(limits.size).toBeLessThanOrEqual(2 * 32_768);
});

test('what is long past is forgotten', () => {
  const { clock, limits, guess } = opened();
  guess('192.0.2.1', 3);
  clock.advance(10 * 60_000);
  guess('192.0.2.2');
  expect(limits.size).toBe(1);
});

test.each([
  ['192.0.2.7', '192.0.2.7'],
  ['', ''],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:0DB8:0:0:1:2:3:4', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64'],
  ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
  ['2001:db8:a:b:c:d:192.0.2.1', '2001:db8:a:b::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
])('the network of %s is %s', (address, network) => {
  expect(networkOf(address)).toBe(network);
});
