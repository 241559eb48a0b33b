import { expect, it } from 'vitest';
import { SeededRandom } from '../seeded-random.ts';
import { MachinePool } from './machine-pool.ts';

function wishes(seed: number, number: number) {
  const pool = new MachinePool('test', new SeededRandom(seed));
  return Array.from({ length: number }, () => pool.next());
}

it('follows from the seed', () => {
  expect(wishes(3, 500)).toEqual(wishes(3, 500));
  expect(wishes(3, 500)).not.toEqual(wishes(4, 500));
});

it('makes the count rise and fall through both thresholds and the cap', () => {
  const physical = new Map<string, boolean>();
  const counts = wishes(5, 3_000).map(({ question }) => {
    physical.set(question.cmid, question.machineClass === 'physical');
    return [...physical.values()].filter((each) => each).length;
  });
  for (const limit of [5, 25, 50]) {
    const crossings = counts.filter((count, index) => count >= limit !== (counts[index - 1] ?? 0) >= limit).length;
    expect(crossings, `crossings of ${limit}`).toBeGreaterThanOrEqual(4);
  }
});

it('has machines that ask often, new ones, refused ones and clones', () => {
  const made = wishes(6, 6_000);
  const asks = new Map<string, number>();
  for (const { question } of made) asks.set(question.cmid, (asks.get(question.cmid) ?? 0) + 1);
  expect([...asks.values()].filter((number) => number > 40)).toHaveLength(64);
  expect([...asks.values()].filter((number) => number === 1).length).toBeGreaterThan(400);
  expect(made.some(({ clockAheadMs }) => clockAheadMs > 4 * 60 * 60 * 1000)).toBe(true);
  expect(made.some(({ question }) => question.edition === 'not-in-the-catalogue')).toBe(true);
  const fingerprints = new Set(made.map(({ question }) => Buffer.from(question.fingerprint ?? []).toString('hex')));
  expect(fingerprints.size).toBeGreaterThan(asks.size);
});
