import type { AnswerRecord, Outcome } from '../answer-record.ts';
import type { LogRow, MachineRow, StreamMessage } from './log-row.ts';

/** A history that keeps every promise, for tests that break one of them. */
export interface History {
  readonly rows: readonly LogRow[];
  readonly machines: readonly MachineRow[];
  readonly records: readonly AnswerRecord[];
  readonly messages: readonly StreamMessage[];
}

const startMs = Date.parse('2026-11-24T12:00:00Z');

/** Seven servers ask, one a second, then the first asks again: the fifth and all after it are granted. */
export function honestHistory(): History {
  const asks = [0, 1, 2, 3, 4, 5, 6, 0];
  const rows = asks.map((machine, index): LogRow => {
    const count = Math.min(index + 1, 7);
    return {
      id: index + 1,
      activationId: uuid(0xa, index),
      occurredAtMs: startMs + index * 1_000,
      gatewayId: 'gateway-1',
      application: 'windows',
      edition: 'server-2008-standard',
      cmid: uuid(0xc, machine),
      machineClass: 'physical',
      machineName: `SERVER-${machine}`,
      fingerprint: `${machine}`.repeat(64),
      clientVersion: `test/${index}.0`,
      code: count < 5 ? 'COUNT_INSUFFICIENT' : 'GRANTED',
      count,
      threshold: 5,
      firstSeen: index < 7,
      cloned: false,
    };
  });
  return {
    rows,
    machines: [...new Set(asks)].map((machine) => machineRow(rows.filter(({ cmid }) => cmid === uuid(0xc, machine)))),
    records: rows.map((row) => recordOf(row)),
    messages: rows.map((row, index) => messageOf(row, index + 1)),
  };
}

export function recordOf(row: LogRow, change: Partial<Outcome> = {}): AnswerRecord {
  const { code, activationId, count, threshold } = row;
  return {
    attempt: row.clientVersion,
    gateway: row.gatewayId,
    application: row.application,
    edition: row.edition,
    cmid: row.cmid,
    machineClass: 'physical',
    kept: false,
    askedAtMs: row.occurredAtMs,
    answeredAtMs: row.occurredAtMs + 5,
    outcome: { kind: 'answer', code, activationId, count, threshold, ...change } as Outcome,
  };
}

export function messageOf(
  row: LogRow,
  sequence: number,
  change: Readonly<Record<string, unknown>> = {},
): StreamMessage {
  const { code, application, edition, cmid, count, threshold, clientVersion } = row;
  const name = code === 'GRANTED' ? 'granted' : 'refused';
  return {
    sequence,
    subject: `muster.v1.activation.${name}.${application}.${edition}`,
    messageId: row.activationId,
    event: {
      id: row.activationId,
      data: { code, application, edition, cmid, count, threshold, clientVersion, ...change },
    },
  };
}

export function uuid(kind: number, number: number): string {
  return `0000000${kind.toString(16)}-0000-8000-8000-${number.toString(16).padStart(12, '0')}`;
}

function machineRow(rows: readonly LogRow[]): MachineRow {
  const [first] = rows;
  const last = rows.at(-1);
  if (first === undefined || last === undefined) throw new Error('a machine has asked at least once');
  return {
    application: last.application,
    cmid: last.cmid,
    edition: last.edition,
    machineClass: last.machineClass,
    raisesCount: true,
    firstRequestMs: first.occurredAtMs,
    lastRequestMs: last.occurredAtMs,
    requests: rows.length,
    lastCode: last.code,
  };
}
