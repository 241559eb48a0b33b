import type { CountedBatch } from '@muster/contracts/counting';
import type { Database } from '@muster/database';
import { type CountableRequest, countBatch, type KnownMachine } from '@muster/product-groups';
import { resultCodeName } from '@muster/wire-codec';
import { expect } from 'vitest';
import { countCap, retentionMinutes } from './batches.ts';

/** A row of the log as a recount reads it. */
export interface LoggedAsk {
  readonly id: number;
  readonly activation_id: string;
  readonly occurred_at: number;
  readonly gateway_id: string;
  readonly cmid: string;
  readonly machine_class: string;
  readonly machine_name: string;
  readonly fingerprint: string;
  readonly code: string;
  readonly count: number;
  readonly threshold: number;
  readonly first_seen: boolean;
  readonly cloned: boolean;
}

interface MachineRow {
  readonly cmid: string;
  readonly first_request_at: number;
  readonly last_request_at: number;
  readonly raises_count: boolean;
  readonly machine_name: string;
  readonly fingerprint: string;
  readonly requests: number;
  readonly cloned_at: number | null;
}

/** The log of an application in the order of its ids: all of it, or what comes after an id. */
export function readLog(database: Database, application: string, afterId = 0): Promise<readonly LoggedAsk[]> {
  return database.transaction((session) =>
    session.query<LoggedAsk>(
      {
        name: 'test.log',
        text: `
          select id, activation_id, occurred_at, gateway_id, cmid, machine_class, machine_name, fingerprint, code, count,
                 threshold, first_seen, cloned
          from counting.activation_log
          where application = $1::text and id > $2::bigint
          order by id`,
      },
      [application, afterId],
    ),
  );
}

/**
 * Counts the log again, one ask after the other in the order of the ids, by the pure model of the rules (DESIGN 2.2), and
 * expects that every decision and every machine is what the model says: what replicas did at once equals this order.
 */
export async function expectRecount(database: Database, application: string): Promise<readonly LoggedAsk[]> {
  const log = await readLog(database, application);
  let machines: ReadonlyMap<string, KnownMachine> = new Map();
  const asks = new Map<string, number>();
  const rules = { countCap, countRetentionMs: retentionMinutes * 60_000 };
  for (let start = 0; start < log.length; ) {
    const occurredAt = log[start]?.occurred_at ?? 0;
    let end = start + 1;
    while (log[end]?.occurred_at === occurredAt && end - start < 512) end += 1;
    const rows = log.slice(start, end);
    const counted = countBatch(machines, rows.map(toRequest), rules, occurredAt);
    machines = counted.machines;
    expect(rows.map(({ code, count, first_seen, cloned }) => ({ code, count, first_seen, cloned }))).toEqual(
      counted.decisions.map(({ code, count, firstSeen, cloned }) => ({ code, count, first_seen: firstSeen, cloned })),
    );
    for (const { cmid, code } of rows) {
      if (code !== 'PRODUCT_NOT_COVERED') asks.set(cmid, (asks.get(cmid) ?? 0) + 1);
    }
    start += rows.length;
  }
  const rows = await database.query<MachineRow>(
    {
      name: 'test.machines',
      text: `
        select cmid, first_request_at, last_request_at, raises_count, machine_name, fingerprint, requests, cloned_at
        from counting.machine where application = $1::text order by cmid`,
    },
    [application],
  );
  expect(rows).toEqual(
    [...machines]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([cmid, machine]) => ({
        cmid,
        first_request_at: machine.firstRequestMs,
        last_request_at: machine.lastRequestMs,
        raises_count: machine.raisesCount,
        machine_name: machine.machineName,
        fingerprint: machine.fingerprint,
        requests: asks.get(cmid),
        cloned_at: machine.clonedSinceMs ?? null,
      })),
  );
  return log;
}

/** Expects that the log holds each answer once: its requests one after the other, as they were answered. */
export function expectLogged(log: readonly LoggedAsk[], answers: readonly CountedBatch[]): void {
  const places = new Map(log.map((row, place) => [row.activation_id.replaceAll('-', ''), place]));
  expect(places.size).toBe(log.length);
  for (const { results } of answers) {
    const ids = results.map(({ activationId }) => Buffer.from(activationId).toString('hex'));
    const first = places.get(ids[0] ?? '') ?? Number.NaN;
    expect(ids.map((id) => places.get(id))).toEqual(ids.map((_, n) => first + n));
    expect(results.map(({ code, count }) => ({ code: resultCodeName(code), count }))).toEqual(
      log.slice(first, first + ids.length).map(({ code, count }) => ({ code, count })),
    );
  }
}

function toRequest(row: LoggedAsk): CountableRequest {
  const request = {
    cmid: row.cmid,
    raisesCount: row.machine_class === 'physical',
    threshold: row.threshold,
    machineName: row.machine_name,
    fingerprint: row.fingerprint,
  };
  return row.code === 'PRODUCT_NOT_COVERED' ? { ...request, refusal: row.code } : request;
}
