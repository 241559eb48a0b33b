import { expect, test } from 'vitest';
import { plainAddress } from './connection.ts';
import { defaultLimits } from './limits.ts';

test('a gateway takes as many connections as the process can afford, at least one and at most 60,000', () => {
  expect(defaultLimits.connections).toBeGreaterThan(0);
  expect(defaultLimits.connections).toBeLessThanOrEqual(60_000);
  expect(Number.isInteger(defaultLimits.connections)).toBe(true);
});

test('every limit is a positive number, and a batch fits one signature', () => {
  for (const [name, limit] of Object.entries(defaultLimits)) expect([name, limit > 0]).toEqual([name, true]);
  expect(defaultLimits.batchRequests).toBeLessThanOrEqual(256);
});

test.each([
  ['::ffff:192.0.2.1', '192.0.2.1'],
  ['192.0.2.1', '192.0.2.1'],
  ['2001:db8::1', '2001:db8::1'],
  [undefined, ''],
])('the peer %s is named %s', (address, named) => {
  expect(plainAddress(address)).toBe(named);
});
