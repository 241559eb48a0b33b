import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type LogPartition, logRemovals, missingMonths, monthName, startOfMonth } from './log-months.ts';

const now = Date.parse('2026-11-24T12:00:00Z');

/** A month that lies some months from now, with ids in it, or none. */
function month(monthsLater: number, firstId: number | null = null, lastId = firstId): LogPartition {
  const beginsAt = startOfMonth(now, monthsLater);
  return { name: monthName(beginsAt), beginsAt, endsAt: startOfMonth(now, monthsLater + 1), firstId, lastId };
}

/** Months up to the present one with a hundred rows each, in order, and the two ahead. */
function months(count: number): LogPartition[] {
  const past = Array.from({ length: count }, (_, n) => month(n - count + 1, n * 100 + 1, n * 100 + 100));
  return [...past, month(1), month(2)];
}

function removed(partitions: readonly LogPartition[], retentionMonths: number, publishedId = 1_000_000) {
  const removals = logRemovals(partitions, now, retentionMonths, publishedId);
  return removals.partitions.map(({ name }) => name);
}

describe('the months of the log', () => {
  test.each([
    ['2026-12-31T23:59:59.999Z', 0, '2026-12-01', 'activation_log_2026_12'],
    ['2026-12-31T23:59:59.999Z', 1, '2027-01-01', 'activation_log_2027_01'],
    ['2027-01-31T00:00:00Z', 1, '2027-02-01', 'activation_log_2027_02'],
    ['2026-01-31T00:00:00Z', -1, '2025-12-01', 'activation_log_2025_12'],
    ['2038-01-19T03:14:08Z', 2, '2038-03-01', 'activation_log_2038_03'],
    ['1970-01-01T00:00:00Z', 0, '1970-01-01', 'activation_log_1970_01'],
  ])('of %s and %i later begin at %s and are kept in %s', (time, later, begin, name) => {
    const start = startOfMonth(Date.parse(time), later);
    expect(new Date(start).toISOString()).toBe(`${begin}T00:00:00.000Z`);
    expect(monthName(start)).toBe(name);
  });

  test('that are missing are the present one, the two ahead, and those of stray rows within the retention', () => {
    const at = (later: number) => startOfMonth(now, later);
    expect(missingMonths([], [], now, 3)).toEqual([at(0), at(1), at(2)]);
    expect(missingMonths([month(0), month(1)], [], now, 3)).toEqual([at(2)]);
    expect(missingMonths([], [at(-4), at(-3), at(2), at(3)], now, 3)).toEqual([at(-3), at(0), at(1), at(2)]);
    expect(missingMonths([month(0), month(1), month(2)], [at(-600)], now, 0)).toEqual([at(-600)]);
  });

  test('are not missing where the partition from before the months holds them', () => {
    const before = { beginsAt: null, endsAt: startOfMonth(now, 2) };
    expect(missingMonths([before], [startOfMonth(now, -7)], now, 0)).toEqual([startOfMonth(now, 2)]);
  });
});

describe('the retention', () => {
  test('drops the month that ended before the whole months that are kept, and no other', () => {
    expect(removed(months(5), 3)).toEqual([month(-4).name]);
    expect(removed(months(4), 3)).toEqual([]);
    expect(removed(months(3), 1)).toEqual([month(-2).name]);
  });

  test('drops with it every month from before it that was left behind', () => {
    expect(removed(months(7), 3)).toEqual([month(-6).name, month(-5).name, month(-4).name]);
  });

  test('of 0 months keeps everything', () => {
    expect(logRemovals(months(60), now, 0, 1_000_000)).toEqual({ partitions: [], unpublished: [], defaultBelowId: 0 });
  });

  test('keeps what has not been published, and says so', () => {
    const removals = logRemovals(months(6), now, 3, 199);
    expect(removals.partitions).toEqual([]);
    expect(removals.unpublished.map(({ name }) => name)).toEqual([month(-4).name]);
    expect(removals.defaultBelowId).toBe(0);
    expect(removed(months(6), 3, 200)).toEqual([month(-5).name, month(-4).name]);
  });

  test('drops the partition from before the months when it has ended long enough ago', () => {
    const before: LogPartition = {
      name: 'before',
      beginsAt: null,
      endsAt: startOfMonth(now, -3),
      firstId: 1,
      lastId: 100,
    };
    const later = [month(-3, 101, 200), month(-2, 201, 300), month(-1, 301, 400), month(0, 401, 500)];
    expect(removed([before, ...later], 3)).toEqual(['before']);
    expect(removed([before, ...later], 4)).toEqual([]);
  });

  test('does not believe a clock by which nearly everything would be too old', () => {
    const log = months(30);
    const later = Date.parse('2038-01-19T03:14:08Z');
    const jumped: LogPartition = {
      name: 'jumped',
      beginsAt: startOfMonth(later),
      endsAt: startOfMonth(later, 1),
      firstId: 9_000,
      lastId: 9_100,
    };
    for (const retentionMonths of [1, 2, 3, 12, 24]) {
      expect(logRemovals([...log, jumped], later, retentionMonths, 1_000_000).partitions).toEqual(
        log.filter(({ lastId }) => lastId === null),
      );
      expect(logRemovals([...log, jumped], later, retentionMonths, 1_000_000).defaultBelowId).toBe(0);
    }
  });

  test('keeps rows with a time far off until a month leaves that was committed after them', () => {
    // The month that leaves has the ids 101 to 200.
    for (const far of [-300, 140]) {
      expect(removed([...months(6), month(far, 90, 100)], 3)).toContain(month(far).name);
      expect(removed([...months(6), month(far, 95, 101)], 3)).not.toContain(month(far).name);
    }
    expect(logRemovals(months(6), now, 3, 1_000_000).defaultBelowId).toBe(101);
    expect(logRemovals(months(4), now, 3, 1_000_000).defaultBelowId).toBe(0);
  });

  test('is not held up by clocks of replicas that differ where two months meet', () => {
    const log = [month(-4, 1, 105), month(-3, 95, 200), month(-2, 201, 300), month(-1, 301, 400), month(0, 401, 500)];
    expect(removed(log, 3)).toEqual([month(-4).name]);
  });

  test('never removes a row that is unpublished or younger than the months that are kept, whatever the log is', () => {
    const partition = fc
      .record({ later: fc.integer({ min: -40, max: 40 }), ids: fc.option(fc.tuple(fc.nat(500), fc.nat(100))) })
      .map(({ later, ids }) => (ids === null ? month(later) : month(later, ids[0], ids[0] + ids[1])));
    const log = fc.uniqueArray(partition, { selector: ({ name }) => name, maxLength: 60 });
    fc.assert(
      fc.property(log, fc.integer({ min: 1, max: 30 }), fc.nat(600), (partitions, retentionMonths, publishedId) => {
        const removals = logRemovals(partitions, now, retentionMonths, publishedId);
        const oldest = startOfMonth(now, -retentionMonths);
        const kept = partitions.filter(({ beginsAt }) => (beginsAt ?? 0) > oldest && (beginsAt ?? 0) <= now);
        const firstKept = Math.min(...kept.flatMap(({ firstId }) => firstId ?? []));
        for (const { beginsAt, lastId } of removals.partitions) {
          expect((beginsAt ?? 0) < oldest || (beginsAt ?? 0) > startOfMonth(now, 2)).toBe(true);
          expect(lastId ?? 0).toBeLessThanOrEqual(publishedId);
          if (lastId !== null) expect(lastId).toBeLessThan(firstKept);
        }
        expect(removals.defaultBelowId).toBeLessThanOrEqual(publishedId);
        if (removals.defaultBelowId > 0) expect(removals.defaultBelowId).toBeLessThan(firstKept);
      }),
      { numRuns: 2_000 },
    );
  });
});
