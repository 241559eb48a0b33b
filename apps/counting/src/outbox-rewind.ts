import type { Database } from '@muster/database';
import type { EventStream, LoggedEvent, StreamPlace, StreamState } from '@muster/events';
import type { OutboxCursor } from './outbox-cursor.ts';
import { eventIdStatement, firstYoungerStatement } from './statements.ts';

/**
 * Where the relay has to go on, so that the stream gets everything that the log has (DESIGN 4.1).
 *
 * A stream can lose what it had acknowledged: by a power failure, by a store that was replaced by an older copy, or by
 * being deleted. It is compared with the place of the last publication. When that is not there any more, the relay goes
 * back to the log row of the stream's last event; in a stream that has none, to the oldest row that the stream would
 * still keep.
 *
 * @returns the cursor to go on from, never further on than the present one; undefined when the stream is as it was left.
 */
export async function findRewind(
  database: Database,
  stream: EventStream,
  cursor: OutboxCursor,
  state: StreamState,
): Promise<OutboxCursor | undefined> {
  if (await isInPlace(stream, cursor.place, state)) return undefined;
  const { incarnation, lastLogged } = state;
  if (lastLogged !== undefined && (await isOfThisLog(database, lastLogged))) {
    const { sequence, eventId, logPosition } = lastLogged;
    return { lastId: Math.min(cursor.lastId, logPosition), place: { incarnation, sequence, eventId } };
  }
  const position = await positionBeforeWhatIsKept(database, state.maximumAgeMs, cursor.lastId);
  return {
    lastId: Math.min(cursor.lastId, position),
    place: { incarnation, sequence: state.lastSequence, eventId: undefined },
  };
}

async function isInPlace(stream: EventStream, place: StreamPlace | undefined, state: StreamState): Promise<boolean> {
  if (place === undefined || place.incarnation !== state.incarnation) return false;
  if (place.sequence > state.lastSequence) return false;
  // What has grown too old is gone in good order.
  if (place.eventId === undefined || place.sequence < state.firstSequence) return true;
  return (await stream.eventIdAt(place.sequence)) === place.eventId;
}

/** An event of another database's log says nothing about ours. A row that is gone was ours as far as anybody knows. */
async function isOfThisLog(database: Database, event: LoggedEvent): Promise<boolean> {
  const [row] = await database.query<{ activation_id: string }>(eventIdStatement, [event.logPosition]);
  return row === undefined || row.activation_id === event.eventId;
}

async function positionBeforeWhatIsKept(database: Database, maximumAgeMs: number, lastId: number): Promise<number> {
  if (maximumAgeMs === 0) return 0;
  const [row] = await database.query<{ id: number | null }>(firstYoungerStatement, [maximumAgeMs]);
  return row?.id == null ? lastId : row.id - 1;
}
