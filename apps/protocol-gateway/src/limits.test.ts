import { expect, test } from 'vitest';
import { defaultLimits } from './limits.ts';

test('a gateway takes as many connections as the process can afford, at least one and at most 60,000', () => {
  expect(defaultLimits.connections).toBeGreaterThan(0);
  expect(defaultLimits.connections).toBeLessThanOrEqual(60_000);
  expect(Number.isInteger(defaultLimits.connections)).toBe(true);
});

test('every limit is a positive number, and a batch fits one signature', () => {
  const { ratesOnLoopback, ...limits } = defaultLimits;
  for (const [name, limit] of Object.entries(limits)) expect([name, limit > 0]).toEqual([name, true]);
  expect(ratesOnLoopback).toBe(false);
  expect(defaultLimits.batchRequests).toBeLessThanOrEqual(256);
});
