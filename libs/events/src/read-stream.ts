import { setTimeout as delay } from 'node:timers/promises';
import { type ConsumerMessages, DeliverPolicy, jetstream, type OrderedConsumerOptions } from '@nats-io/jetstream';
import type { AddressedEvent } from './cloud-event.ts';
import { fromMessage } from './event-message.ts';
import type { NatsSession } from './nats-connection.ts';

/** Where to begin: at a sequence of the stream, at a time (milliseconds since 1970), or at the oldest event. */
export interface ReadOptions {
  readonly sequence?: number;
  readonly sinceMs?: number;
  /** Only events under this subject, which may have wildcards. */
  readonly subject?: string;
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/** An event as it lies in the stream. */
export interface StreamedEvent extends AddressedEvent {
  readonly sequence: number;
  /** When the stream took it, milliseconds since 1970. */
  readonly storedMs: number;
}

/** How far a reading has come, and in which life of the stream. */
interface ReadPosition {
  incarnation: string | undefined;
  after: number | undefined;
}

const retryMs = 500;

/**
 * Reads a stream in its order, from a place on, waiting for what comes, until `signal` ends it or the reader breaks off.
 *
 * It goes on after the last event that was read when the connection or the stream comes back, and from the beginning of
 * a stream that was made again. The same event can come more than once, because the relay publishes at least once:
 * whoever counts drops ids that it knows.
 */
export async function* readStream(
  session: () => NatsSession | undefined,
  name: string,
  options: ReadOptions = {},
): AsyncIterable<StreamedEvent> {
  const { signal } = options;
  const position: ReadPosition = { incarnation: undefined, after: undefined };
  while (signal?.aborted !== true) {
    const current = session();
    // A connection that is lost, or a stream that is not there yet, is tried again.
    if (current !== undefined) yield* readOnce(current, name, options, position);
    await delay(retryMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

async function* readOnce(
  session: NatsSession,
  name: string,
  options: ReadOptions,
  position: ReadPosition,
): AsyncIterable<StreamedEvent> {
  const messages = await startConsumer(session, name, options, position).catch(() => undefined);
  if (messages === undefined) return;
  const stop = () => messages.stop();
  const ends = [session.lost, ...(options.signal === undefined ? [] : [options.signal])];
  for (const end of ends) end.addEventListener('abort', stop, { once: true });
  if (ends.some((end) => end.aborted)) stop();
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await iterator.next().catch(() => undefined);
      if (next === undefined || next.done) return;
      position.after = next.value.seq;
      const event = fromMessage(next.value);
      if (event !== undefined) {
        yield { ...event, sequence: next.value.seq, storedMs: Date.parse(next.value.timestamp) };
      }
    }
  } finally {
    for (const end of ends) end.removeEventListener('abort', stop);
    messages.stop();
  }
}

async function startConsumer(
  { connection }: NatsSession,
  name: string,
  options: ReadOptions,
  position: ReadPosition,
): Promise<ConsumerMessages> {
  const client = jetstream(connection);
  const info = await (await client.jetstreamManager(false)).streams.info(name);
  if (position.incarnation !== undefined) {
    // What a stream that lost its end gets again lies at sequences that were read before.
    const lastSequence = info.created === position.incarnation ? info.state.last_seq : 0;
    position.after = Math.min(position.after ?? lastSequence, lastSequence);
  }
  position.incarnation = info.created;
  const consumer = await client.consumers.get(name, toConsumer(options, position.after));
  return consumer.consume({
    abort_on_missing_resource: true,
    max_messages: 256,
    expires: 5_000,
    idle_heartbeat: 1_000,
  });
}

function toConsumer(
  { sequence, sinceMs, subject }: ReadOptions,
  after: number | undefined,
): Partial<OrderedConsumerOptions> {
  const filter = subject === undefined ? {} : { filter_subjects: subject };
  const start = after === undefined ? sequence : after + 1;
  if (start !== undefined) return { ...filter, deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: start };
  if (sinceMs !== undefined) {
    return { ...filter, deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(sinceMs).toISOString() };
  }
  return { ...filter, deliver_policy: DeliverPolicy.All };
}
