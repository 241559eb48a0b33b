import { describe, expect, it } from 'vitest';
import type { AnswerRecord, Outcome } from './answer-record.ts';
import { honestHistory, recordOf } from './check/forged.ts';
import { fareBetween, percentile, workingSince } from './observations.ts';

const [row] = honestHistory().rows;
const granted: Partial<Outcome> = { kind: 'answer', code: 'GRANTED' };
const unavailable: Outcome = { kind: 'advice', code: 'UNAVAILABLE', retryAfterMs: 1_000 };
const reset: Outcome = { kind: 'failed', reason: 'reset', detail: '' };

/** An attempt at a gateway, asked at a time and answered 10 ms later. */
function attempt(gateway: string, askedAtMs: number, outcome: Partial<Outcome> = granted): AnswerRecord {
  if (row === undefined) throw new Error('the history has rows');
  return { ...recordOf(row, outcome), gateway, askedAtMs, answeredAtMs: askedAtMs + 10 };
}

function attempts(gateway: string, fromMs: number, number: number, outcome: Partial<Outcome> = granted) {
  return Array.from({ length: number }, (_, index) => attempt(gateway, fromMs + index, outcome));
}

describe('a gateway that works again', () => {
  const gateways = ['one', 'two'];

  it('has answered fifteen in a row, and so have the others', () => {
    const one = [...attempts('one', 1_000, 5, unavailable), ...attempts('one', 1_100, 15)];
    expect(workingSince(one, gateways, 1_000)).toBeUndefined();
    expect(workingSince([...one, ...attempts('two', 1_050, 14)], gateways, 1_000)).toBeUndefined();
    expect(workingSince([...one, ...attempts('two', 1_050, 15)], gateways, 1_000)).toBe(1_100);
  });

  it('is not one that failed again', () => {
    const records = [...attempts('one', 1_000, 20), attempt('one', 1_020, reset), ...attempts('one', 1_030, 14)];
    expect(workingSince(records, ['one'], 1_000)).toBeUndefined();
    expect(workingSince([...records, attempt('one', 1_044)], ['one'], 1_000)).toBe(1_030);
  });

  it('is judged by when it was asked, not by when it answered', () => {
    const late = attempt('one', 900, unavailable);
    expect(workingSince([...attempts('one', 1_000, 15), late], ['one'], 950)).toBe(1_000);
  });

  it('is not one that refuses everybody for their clocks', () => {
    const skewed = attempts('one', 1_000, 30, { kind: 'answer', code: 'CLOCK_SKEW' });
    expect(workingSince(skewed, ['one'], 1_000)).toBeUndefined();
  });
});

describe('how clients fared', () => {
  it('is counted by when they asked', () => {
    const records = [attempt('one', 999), attempt('one', 1_000), attempt('two', 1_500, reset), attempt('two', 2_000)];
    expect(fareBetween(records, 1_000, 2_000)).toEqual({
      attempts: 2,
      answered: 1,
      outcomes: { GRANTED: 1, reset: 1 },
      latenciesMs: [10, 10],
    });
  });

  it('has percentiles of the nearest rank', () => {
    const values = Array.from({ length: 100 }, (_, index) => 100 - index);
    expect([percentile(values, 0.5), percentile(values, 0.99), percentile(values, 1)]).toEqual([50, 99, 100]);
    expect(percentile([], 0.99)).toBe(0);
  });
});
