import { setTimeout as delay } from 'node:timers/promises';
import type { CountingAdministration, Outbox, ReplayEventsRequest, ReplayProgress } from '@muster/contracts/counting';
import type { Database } from '@muster/database';
import { MusterError } from '@muster/product-groups';
import type { Clock } from '@muster/service-kit';
import { busConsumer, readCursor } from './outbox-cursor.ts';
import type { OutboxRow } from './rows.ts';
import { countLogStatement, outboxStatement, replayStatement } from './statements.ts';

/** What the administration of counting is built from. */
export interface CountingAdministrationParts {
  readonly database: Database;
  readonly clock: Clock;
  /** Called when rows are to be published again, so that a relay in this process need not wait for its next look. */
  readonly onReplay?: () => void;
}

const lookEveryMs = 200;
/** An answer comes at least this often, so that whoever has gone is noticed and whoever waits knows that it goes on. */
const answerEveryMs = 1_000;
const rowsPerCount = 50_000;

/**
 * What an administrator asks of counting. Everything is in the database, so that any replica answers, whichever of them
 * relays.
 */
export function createCountingAdministration(parts: CountingAdministrationParts): CountingAdministration {
  return {
    getOutbox: () => getOutbox(parts.database),
    replayEvents: (request) => replayEvents(parts, request),
  };
}

async function getOutbox(database: Database): Promise<Outbox> {
  const [row] = await database.query<OutboxRow>(outboxStatement, [busConsumer]);
  return { lag: row?.lag ?? 0, relay: row?.relay ?? '', publishedId: row?.last_id ?? 0 };
}

/** @throws MusterError `INPUT_INVALID` when the time is none, or has not come yet. */
async function* replayEvents(
  { database, clock, onReplay }: CountingAdministrationParts,
  { sinceUnixMs }: ReplayEventsRequest,
): AsyncIterable<ReplayProgress> {
  if (!Number.isSafeInteger(sinceUnixMs) || sinceUnixMs < 0 || sinceUnixMs > clock.nowMs()) {
    throw new MusterError({
      code: 'INPUT_INVALID',
      message: `Events cannot be published again since ${sinceUnixMs}.`,
      remedy: 'Give a time in the past, in milliseconds since 1970.',
    });
  }
  const [replay] = await database.query<{ after_id: number; until_id: number }>(replayStatement, [
    busConsumer,
    sinceUnixMs,
  ]);
  if (replay === undefined) {
    yield { rows: 0, published: 0 };
    return;
  }
  onReplay?.();
  const { after_id: afterId, until_id: untilId } = replay;
  const rows = await countRows(database, afterId, untilId);
  yield { rows, published: 0 };

  let countedId = afterId;
  let published = 0;
  let answeredMs = clock.monotonicMs();
  while (countedId < untilId) {
    await delay(lookEveryMs);
    const { lastId } = await readCursor(database);
    const reachedId = Math.min(lastId, untilId);
    // The cursor can go back once more meanwhile; what was published stays so.
    const advanced = reachedId > countedId;
    if (advanced) {
      published += await countRows(database, countedId, reachedId);
      countedId = reachedId;
    }
    if (!advanced && clock.monotonicMs() < answeredMs + answerEveryMs) continue;
    answeredMs = clock.monotonicMs();
    yield { rows, published };
  }
}

/** Log rows after one id and not after another. */
async function countRows(database: Database, afterId: number, untilId: number): Promise<number> {
  let rows = 0;
  let lastId = afterId;
  while (lastId < untilId) {
    const [step] = await database.query<{ rows: number; last_id: number }>(countLogStatement, [
      lastId,
      untilId,
      rowsPerCount,
    ]);
    if (step === undefined || step.rows === 0) break;
    rows += step.rows;
    lastId = step.last_id;
  }
  return rows;
}
