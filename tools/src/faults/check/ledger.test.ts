import { describe, expect, it } from 'vitest';
import { stackCatalogue } from './catalogue.ts';
import { type History, honestHistory, messageOf, recordOf, uuid } from './forged.ts';
import { Ledger } from './ledger.ts';
import type { LogRow } from './log-row.ts';

/** The rules that a history breaks. */
function broken(history: History, { final = true, lateRows = 0 } = {}): string[] {
  const ledger = new Ledger(stackCatalogue());
  ledger.addRecords(history.records);
  ledger.addRows(history.rows);
  ledger.compareTables(history.machines, history.rows.length + lateRows);
  ledger.addMessages(history.messages);
  ledger.check(ledger.lastId, final);
  return [...new Set(ledger.violations.kept.map(({ rule }) => rule))];
}

/** The honest history with one row of the log changed, and everything else made after it. */
function withRow(index: number, change: Partial<LogRow>): History {
  const honest = honestHistory();
  const rows = honest.rows.map((row, at) => (at === index ? { ...row, ...change } : row));
  return {
    ...honest,
    rows,
    records: rows.map((row) => recordOf(row)),
    messages: rows.map((row, at) => messageOf(row, at + 1)),
  };
}

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items.at(index);
  if (item === undefined) throw new Error(`there is no item ${index}`);
  return item;
}

const without = <Item>(items: readonly Item[], index: number) => items.filter((_, place) => place !== index);

describe('a history that keeps every promise', () => {
  it('is found to', () => {
    expect(broken(honestHistory())).toEqual([]);
  });

  it('may have repeated messages, a lost answer and a lost connection', () => {
    const honest = honestHistory();
    const lost = { ...at(honest.records, 2), outcome: { kind: 'failed', reason: 'reset', detail: '' } as const };
    const unavailable = {
      ...at(honest.records, 3),
      outcome: { kind: 'advice', code: 'UNAVAILABLE', retryAfterMs: 1_000 } as const,
    };
    const records = [...honest.records.slice(0, 2), lost, unavailable, ...honest.records.slice(4)];
    const again = honest.messages.slice(2, 6);
    expect(broken({ ...honest, records, messages: [...honest.messages, ...again] })).toEqual([]);
  });

  it('may be seen piece by piece, the stream before the log', () => {
    const { rows, machines, records, messages } = honestHistory();
    const ledger = new Ledger(stackCatalogue());
    for (const [index, row] of rows.entries()) {
      ledger.addMessages(messages.slice(index, index + 1));
      expect(ledger.streamIsAhead).toBe(true);
      ledger.addRecords(records.slice(index, index + 1));
      ledger.addRows([row]);
      expect(ledger.hasArrived(ledger.lastId)).toBe(true);
      ledger.check(ledger.lastId, false);
    }
    ledger.compareTables(machines, rows.length);
    expect(ledger.violations.kept).toEqual([]);
  });
});

describe('answers against the log', () => {
  const honest = honestHistory();

  it('an answer that the log does not have', () => {
    const record = recordOf({ ...at(honest.rows, 7), activationId: uuid(0xa, 99) });
    expect(broken({ ...honest, records: [...honest.records.slice(0, 7), record] })).toEqual(['answer-not-in-log']);
  });

  it.each([
    ['code', { code: 'COUNT_INSUFFICIENT' }],
    ['count', { count: 8 }],
    ['threshold', { threshold: 4 }],
  ])('an answer with another %s', (_, change) => {
    const records = [...honest.records.slice(0, 7), recordOf(at(honest.rows, 7), change)];
    expect(broken({ ...honest, records })).toEqual(['answer-differs-from-log']);
  });

  it.each([
    ['machine', { cmid: uuid(0xc, 50) }],
    ['edition', { edition: 'web-server-2008' }],
  ])('an answer for another %s', (_, change) => {
    const records = [...honest.records.slice(0, 7), { ...at(honest.records, 7), ...change }];
    expect(broken({ ...honest, records })).toEqual(['answer-differs-from-log']);
  });

  it('an activation id that two attempts were told', () => {
    const record = { ...at(honest.records, 7), attempt: 'test/99.0' };
    expect(broken({ ...honest, records: [...honest.records, record] })).toContain('activation-told-twice');
  });

  it('an attempt with two outcomes', () => {
    expect(broken({ ...honest, records: [...honest.records, at(honest.records, 0)] })).toContain('attempt-twice');
  });

  it('an attempt that was counted twice', () => {
    expect(broken(withRow(7, { clientVersion: 'test/0.0' }))).toContain('attempt-counted-twice');
  });

  it('an activation id that the log has twice', () => {
    expect(broken(withRow(7, { activationId: uuid(0xa, 0) }))).toContain('activation-twice');
  });

  it('a row that nobody asked for, once everybody has an outcome', () => {
    const history = { ...honest, records: without(honest.records, 3) };
    expect(broken(history, { final: false })).toEqual([]);
    expect(broken(history)).toEqual(['row-of-nobody']);
  });

  it.each([
    ['turned away', { kind: 'advice', code: 'RATE_LIMITED', retryAfterMs: 1_000 } as const],
    ['refused at the door', { kind: 'failed', reason: 'refused', detail: 'ECONNREFUSED' } as const],
    ['never sent', { kind: 'failed', reason: 'unconnected', detail: '' } as const],
  ])('a request that was %s and counted', (_, outcome) => {
    const records = [...honest.records.slice(0, 7), { ...at(honest.records, 7), outcome }];
    expect(broken({ ...honest, records })).toEqual(['turned-away-and-counted']);
  });

  it('an answer that is not proved', () => {
    const outcome = { kind: 'failed', reason: 'untrusted', detail: 'grants below the threshold' } as const;
    const records = [...honest.records.slice(0, 7), { ...at(honest.records, 7), outcome }];
    expect(broken({ ...honest, records })).toEqual(['untrusted-answer']);
  });
});

describe('the log against its recount', () => {
  it('a count that is too high, and a grant below the threshold', () => {
    expect(broken(withRow(3, { count: 5, code: 'GRANTED' }))).toEqual(
      expect.arrayContaining(['recount-differs', 'granted-below-threshold']),
    );
  });

  it.each([
    ['count that is too low', 6, { count: 6 }],
    ['refusal of who had the count', 6, { code: 'COUNT_INSUFFICIENT' }],
    ['threshold that is not the catalogue’s', 6, { threshold: 6 }],
    ['machine said to be new', 7, { firstSeen: true }],
    ['machine said to be cloned', 7, { cloned: true }],
    ['clone that was not seen', 7, { fingerprint: 'f'.repeat(64) }],
  ])('a %s', (_, index, change) => {
    expect(broken(withRow(index, change))).toContain('recount-differs');
  });

  it('a refused request that was counted', () => {
    expect(broken(withRow(7, { code: 'CLOCK_SKEW', count: 8, threshold: 0 }))).toContain('recount-differs');
  });

  it('an edition that the catalogue does not know', () => {
    expect(broken(withRow(7, { edition: 'windows-95' }))).toContain('unknown-edition');
  });

  it('rows against the order of their ids', () => {
    const honest = honestHistory();
    const rows = [...honest.rows.slice(0, 6), at(honest.rows, 7), at(honest.rows, 6)];
    expect(broken({ ...honest, rows })).toContain('log-order');
  });

  it('a row that was committed behind those that were read', () => {
    expect(broken(honestHistory(), { lateRows: 1 })).toEqual(['log-changed-behind']);
  });

  it('a machine table that has a machine too few, too many, or another one', () => {
    const honest = honestHistory();
    const { machines } = honest;
    expect(broken({ ...honest, machines: without(machines, 2) })).toEqual(['machine-missing']);
    const stranger = { ...at(machines, 0), cmid: uuid(0xc, 99) };
    expect(broken({ ...honest, machines: [...machines, stranger] })).toEqual(['machine-not-in-log']);
    const asleep = { ...at(machines, 0), raisesCount: false };
    expect(broken({ ...honest, machines: [asleep, ...machines.slice(1)] })).toEqual(['machine-differs']);
  });
});

describe('the stream against the log', () => {
  const honest = honestHistory();

  it('a row that never arrived', () => {
    expect(broken({ ...honest, messages: without(honest.messages, 4) })).toEqual(['row-not-in-stream']);
  });

  it('an event that the log does not have', () => {
    const stranger = messageOf({ ...at(honest.rows, 0), activationId: uuid(0xa, 99) }, 9);
    expect(broken({ ...honest, messages: [...honest.messages, stranger] })).toEqual(['event-not-in-log']);
  });

  it('an event that says other than its row', () => {
    const messages = [...honest.messages.slice(0, 7), messageOf(at(honest.rows, 7), 8, { count: 9 })];
    expect(broken({ ...honest, messages })).toEqual(['event-differs-from-log']);
  });

  it('an event whose id for de-duplication is another or missing', () => {
    for (const messageId of ['', uuid(0xa, 0)]) {
      const messages = [...honest.messages, { ...at(honest.messages, 7), messageId }];
      expect(broken({ ...honest, messages })).toEqual(['message-without-id']);
    }
  });

  it('events of one machine against the order of commit', () => {
    const messages = [at(honest.messages, 7), ...honest.messages.slice(0, 7)];
    expect(broken({ ...honest, messages })).toEqual(['event-out-of-order']);
  });

  it('events of several machines may overtake each other', () => {
    const messages = [...honest.messages.slice(1, 7), at(honest.messages, 0), at(honest.messages, 7)];
    expect(broken({ ...honest, messages })).toEqual([]);
  });

  it('is not asked for events of other kinds', () => {
    const other = { sequence: 9, subject: 'muster.v1.gateway.up', messageId: 'any', event: { id: 'any' } };
    expect(broken({ ...honest, messages: [...honest.messages, other] })).toEqual([]);
  });
});
