import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AddressRates, burstMs } from './address-rates.ts';

/** How many of so many attempts at one moment succeed. */
function taken(rates: AddressRates, attempts: number, nowMs: number, address = '192.0.2.1'): number {
  return Array.from({ length: attempts }, () => rates.take(address, nowMs)).filter(Boolean).length;
}

test('an address may do at once what five seconds give, and then so many a second', () => {
  const rates = new AddressRates(100);
  expect(taken(rates, 600, 1_000)).toBe(500);
  expect(taken(rates, 600, 1_009)).toBe(0);
  expect(taken(rates, 600, 1_010)).toBe(1);
  expect(taken(rates, 600, 2_010)).toBe(100);
  // Full again, and not fuller.
  expect(taken(rates, 600, 60_000)).toBe(500);
});

test('a refused attempt costs nothing', () => {
  const rates = new AddressRates(10);
  taken(rates, 50, 0);
  for (let nowMs = 1; nowMs < 100; nowMs += 1) expect(rates.take('192.0.2.1', nowMs)).toBe(false);
  expect(rates.take('192.0.2.1', 100)).toBe(true);
});

test('addresses do not share, and those of one IPv6 /64 do', () => {
  const rates = new AddressRates(1);
  expect(taken(rates, 9, 0, '192.0.2.1')).toBe(5);
  expect(taken(rates, 9, 0, '192.0.2.2')).toBe(5);
  expect(taken(rates, 3, 0, '2001:db8::1')).toBe(3);
  expect(taken(rates, 9, 0, '2001:db8::2')).toBe(2);
  expect(taken(rates, 9, 0, '2001:db8:0:1::2')).toBe(5);
});

test('0 is no limit and remembers nobody', () => {
  const rates = new AddressRates(0);
  expect(taken(rates, 10_000, 0)).toBe(10_000);
  expect(rates.size).toBe(0);
});

test('whatever an address does, it never gets more than the rate and one burst, nor less than it asks for within it', () => {
  const steps = fc.array(fc.record({ waitMs: fc.nat(3_000), attempts: fc.nat(120) }), { maxLength: 40 });
  const property = fc.property(steps, fc.constantFrom(1, 2, 10, 25), (rounds, perSecond) => {
    const rates = new AddressRates(perSecond);
    const burst = (perSecond * burstMs) / 1_000;
    let [nowMs, tokens] = [0, burst];
    for (const { waitMs, attempts } of rounds) {
      nowMs += waitMs;
      tokens = Math.min(burst, tokens + (waitMs * perSecond) / 1_000);
      const expected = Math.min(attempts, Math.floor(tokens + 1e-9));
      expect(taken(rates, attempts, nowMs)).toBe(expected);
      tokens -= expected;
    }
  });
  fc.assert(property, { numRuns: 500 });
});

test('an address that has done nothing for two generations is forgotten', () => {
  const rates = new AddressRates(100);
  for (let n = 0; n < 1_000; n += 1) rates.take(`10.0.0.${n}`, 0);
  expect(rates.size).toBe(1_000);
  rates.take('192.0.2.1', burstMs);
  expect(rates.size).toBe(1_001);
  rates.take('192.0.2.1', 2 * burstMs);
  expect(rates.size).toBe(2);
});

test('an address that goes on is never forgotten: its burst does not come back', () => {
  const rates = new AddressRates(1);
  expect(taken(rates, 9, 0)).toBe(5);
  let granted = 0;
  for (let nowMs = 100; nowMs <= 60_000; nowMs += 100) granted += taken(rates, 9, nowMs);
  expect(granted).toBe(60);
});

test('a flood from a million addresses is remembered in part, and refuses no other address', () => {
  const rates = new AddressRates(100);
  let largest = 0;
  let refused = 0;
  for (let n = 0; n < 1_000_000; n += 1) {
    if (!rates.take(`2001:db8:${(n >> 16).toString(16)}:${(n & 0xffff).toString(16)}::1`, n / 1_000)) refused += 1;
    largest = Math.max(largest, rates.size);
  }
  expect(largest).toBeLessThanOrEqual(65_536);
  expect(refused).toBe(0);
  expect(taken(rates, 600, 1_000)).toBe(500);
});
