import { expect, test } from 'vitest';
import { ManualClock, systemClock } from './clock.ts';

test('a manual clock stands still until it is moved, and then both of its times move alike', () => {
  const clock = new ManualClock(1_795_521_600_000);
  expect([clock.nowMs(), clock.nowMs(), clock.monotonicMs()]).toEqual([1_795_521_600_000, 1_795_521_600_000, 0]);
  clock.advance(250);
  clock.advance(0);
  expect([clock.nowMs(), clock.monotonicMs()]).toEqual([1_795_521_600_250, 250]);
});

test("the machine's clock tells the time of day, and a second time that never goes back", () => {
  const [before, now, after] = [Date.now(), systemClock.nowMs(), Date.now()];
  expect(now).toBeGreaterThanOrEqual(before);
  expect(now).toBeLessThanOrEqual(after);
  const times = Array.from({ length: 100 }, () => systemClock.monotonicMs());
  expect(times).toEqual(times.toSorted((a, b) => a - b));
});
