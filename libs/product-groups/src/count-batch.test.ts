import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CountableRequest, CountDecision, KnownMachine } from './count-batch.ts';
import { countBatch } from './count-batch.ts';

const dayMs = 86_400_000;
const nowMs = 1_800_000_000_000;
const rules = { countCap: 50, countRetentionMs: 30 * dayMs };

function cmid(index: number): string {
  return `00000000-0000-4000-8000-${String(index).padStart(12, '0')}`;
}

function request(index: number, more: Partial<CountableRequest> = {}): CountableRequest {
  return { cmid: cmid(index), raisesCount: true, threshold: 25, fingerprint: '', machineName: '', ...more };
}

function physicalDesktops(number: number): CountableRequest[] {
  return Array.from({ length: number }, (_, index) => request(index));
}

/** The codes and counts of a batch, in short. */
function outcome(decisions: readonly CountDecision[]): string[] {
  return decisions.map(({ code, count }) => `${code} ${count}`);
}

const site = countBatch(new Map(), physicalDesktops(25), rules, nowMs).machines;

describe('counting', () => {
  it('the 25th physical desktop is granted, and none before it', () => {
    const { decisions } = countBatch(new Map(), physicalDesktops(26), rules, nowMs);
    expect(outcome(decisions.slice(22))).toEqual([
      'COUNT_INSUFFICIENT 23',
      'COUNT_INSUFFICIENT 24',
      'GRANTED 25',
      'GRANTED 26',
    ]);
  });

  it('a server and a desktop each add one to the one count', () => {
    const requests = [...physicalDesktops(4), request(4, { threshold: 5 })];
    expect(outcome(countBatch(new Map(), requests, rules, nowMs).decisions).at(-1)).toBe('GRANTED 5');
  });

  it('virtual machines are activated once the count stands, and never raise it', () => {
    const virtual = { raisesCount: false };
    expect(outcome(countBatch(new Map(), [request(1, virtual)], rules, nowMs).decisions)).toEqual([
      'COUNT_INSUFFICIENT 0',
    ]);
    expect(outcome(countBatch(site, [request(99, virtual)], rules, nowMs).decisions)).toEqual(['GRANTED 25']);
  });

  it('the class of the latest request decides whether a machine raises the count', () => {
    const { decisions } = countBatch(site, [request(0, { raisesCount: false }), request(0)], rules, nowMs);
    expect(outcome(decisions)).toEqual(['COUNT_INSUFFICIENT 24', 'GRANTED 25']);
  });

  it('a CMID counts once, however often it asks', () => {
    const { decisions } = countBatch(new Map(), [request(1), request(1), request(1)], rules, nowMs);
    expect(decisions.map(({ count, firstSeen }) => [count, firstSeen])).toEqual([
      [1, true],
      [1, false],
      [1, false],
    ]);
  });

  it('the reported count stops at the cap', () => {
    const { decisions, machines } = countBatch(new Map(), physicalDesktops(60), rules, nowMs);
    expect(decisions.at(-1)?.count).toBe(50);
    expect(machines.size).toBe(60);
  });

  it('a machine silent for exactly 30 days has left the count, and comes back as one already known', () => {
    const justBefore = countBatch(site, [request(0)], rules, nowMs + 30 * dayMs - 1);
    expect(outcome(justBefore.decisions)).toEqual(['GRANTED 25']);
    const later = countBatch(site, [request(0)], rules, nowMs + 30 * dayMs);
    expect(later.decisions).toEqual([
      { code: 'COUNT_INSUFFICIENT', count: 1, threshold: 25, firstSeen: false, cloned: false },
    ]);
  });

  it('each request renews the 30 days, and a clock set back does not shorten them', () => {
    const early = countBatch(site, [request(0)], rules, nowMs - 5 * dayMs).machines;
    expect(early.get(cmid(0))?.lastRequestMs).toBe(nowMs);
    const late = countBatch(site, [request(0)], rules, nowMs + 5 * dayMs).machines;
    expect(late.get(cmid(0))).toMatchObject({ firstRequestMs: nowMs, lastRequestMs: nowMs + 5 * dayMs });
  });

  it('a request that is refused already changes nothing and carries the count as it stands', () => {
    const refused = request(99, { refusal: 'CLOCK_SKEW', fingerprint: 'ff' });
    const { machines, decisions } = countBatch(site, [refused, request(30), refused], rules, nowMs);
    expect(decisions[0]).toEqual({ code: 'CLOCK_SKEW', count: 25, threshold: 25, firstSeen: false, cloned: false });
    expect(decisions[2]?.count).toBe(26);
    expect(machines.has(cmid(99))).toBe(false);
  });

  it('leaves the machines that it was given as they were', () => {
    countBatch(site, [request(77)], rules, nowMs);
    expect(site.size).toBe(25);
  });
});

describe('a cloned image', () => {
  it('is reported and counted once', () => {
    const requests = ['aa', 'bb', 'bb', 'aa'].map((fingerprint) => request(1, { fingerprint }));
    const { decisions, machines } = countBatch(new Map(), requests, rules, nowMs);
    expect(decisions.map(({ cloned, count }) => [cloned, count])).toEqual([
      [false, 1],
      [true, 1],
      [false, 1],
      [true, 1],
    ]);
    expect(machines.get(cmid(1))?.clonedSinceMs).toBe(nowMs);
  });

  it('is remembered from when it was first seen', () => {
    const first = countBatch(new Map(), [request(1, { machineName: 'a' })], rules, nowMs).machines;
    const second = countBatch(first, [request(1, { machineName: 'b' })], rules, nowMs + 1).machines;
    const third = countBatch(second, [request(1, { machineName: 'c' })], rules, nowMs + 2).machines;
    expect(first.get(cmid(1))).not.toHaveProperty('clonedSinceMs');
    expect(third.get(cmid(1))).toMatchObject({ machineName: 'c', clonedSinceMs: nowMs + 1 });
  });

  it('is not seen where something is withheld, which erases nothing that is known', () => {
    const requests = [
      request(1, { fingerprint: 'aa', machineName: 'desk' }),
      request(1),
      request(1, { machineName: 'desk' }),
      request(1, { fingerprint: 'bb' }),
    ];
    const { decisions } = countBatch(new Map(), requests, rules, nowMs);
    expect(decisions.map(({ cloned }) => cloned)).toEqual([false, false, false, true]);
  });
});

describe('any history of batches', () => {
  interface PastRequest extends CountableRequest {
    readonly atMs: number;
  }

  /** Answers one request by looking through the whole list of what was ever asked before, with no state at all. */
  function answerFromHistory(before: readonly PastRequest[], asked: PastRequest): CountDecision {
    const history = [...before, asked].filter(({ refusal }) => refusal === undefined);
    let counted = 0;
    for (const id of new Set(history.map((past) => past.cmid))) {
      const own = history.filter((past) => past.cmid === id);
      const last = Math.max(...own.map(({ atMs }) => atMs));
      if (own.at(-1)?.raisesCount && asked.atMs < last + rules.countRetentionMs) counted += 1;
    }
    const count = Math.min(counted, 7);
    const { threshold, refusal } = asked;
    if (refusal !== undefined) return { code: refusal, count, threshold, firstSeen: false, cloned: false };
    const earlier = history.slice(0, -1).filter((past) => past.cmid === asked.cmid);
    const lastSaid = (field: 'fingerprint' | 'machineName') =>
      earlier.map((past) => past[field]).findLast((value) => value !== '');
    const cloned = (['fingerprint', 'machineName'] as const).some(
      (field) => asked[field] !== '' && lastSaid(field) !== undefined && lastSaid(field) !== asked[field],
    );
    const code = count < threshold ? 'COUNT_INSUFFICIENT' : 'GRANTED';
    return { code, count, threshold, firstSeen: earlier.length === 0, cloned };
  }

  const requests = fc.record(
    {
      cmid: fc.nat(11).map(cmid),
      raisesCount: fc.boolean(),
      threshold: fc.integer({ min: 1, max: 9 }),
      fingerprint: fc.constantFrom('', 'aa', 'bb'),
      machineName: fc.constantFrom('', 'desk', 'lab'),
      refusal: fc.constantFrom('CLOCK_SKEW' as const, 'PRODUCT_NOT_COVERED' as const),
    },
    { requiredKeys: ['cmid', 'raisesCount', 'threshold', 'fingerprint', 'machineName'] },
  );
  // Mostly forwards, at times backwards, and often by exactly the retention.
  const steps = fc.constantFrom(0, 1, dayMs, 10 * dayMs, 30 * dayMs - 1, 30 * dayMs, -dayMs);
  const batches = fc.array(fc.record({ step: steps, requests: fc.array(requests, { maxLength: 20 }) }), {
    maxLength: 6,
  });

  it('is answered as if each request were looked up in the list of all before it', () => {
    fc.assert(
      fc.property(batches, (history) => {
        let machines: ReadonlyMap<string, KnownMachine> = new Map();
        let atMs = nowMs;
        const past: PastRequest[] = [];
        for (const batch of history) {
          atMs += batch.step;
          const result = countBatch(machines, batch.requests, { ...rules, countCap: 7 }, atMs);
          const expected = batch.requests.map((next) => {
            const asked = { ...next, atMs };
            const decision = answerFromHistory(past, asked);
            past.push(asked);
            return decision;
          });
          expect(result.decisions).toEqual(expected);
          machines = result.machines;
        }
      }),
      { numRuns: 400 },
    );
  });

  it('comes to the same in one batch as in many at the same moment', () => {
    fc.assert(
      fc.property(fc.array(requests, { maxLength: 40 }), fc.nat(40), (all, cut) => {
        const whole = countBatch(new Map(), all, rules, nowMs);
        const first = countBatch(new Map(), all.slice(0, cut), rules, nowMs);
        const second = countBatch(first.machines, all.slice(cut), rules, nowMs);
        expect([...first.decisions, ...second.decisions]).toEqual(whole.decisions);
        expect(second.machines).toEqual(whole.machines);
      }),
    );
  });
});
