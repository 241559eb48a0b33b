import { MusterError } from '@muster/product-groups';
import type { AddressedEvent } from './cloud-event.ts';

/** Where a service's events go. */
export interface EventBus {
  /**
   * Publishes in order. When the promise is fulfilled, the bus has all of them.
   *
   * @throws PublishInterrupted when it does not have them all; then a beginning of them, which may be empty, is there.
   */
  publish(events: readonly AddressedEvent[]): Promise<void>;

  /** The durable stream behind the bus; left out where a published event is not kept. */
  readonly stream?: EventStream;
}

/** The durable stream that a bus publishes into, so that a publisher can find out what became of its events. */
export interface EventStream {
  /**
   * Changes with every connection, and is 0 while there is none. Whatever `inspect` told under another number may be
   * void: the stream can have lost events that it had acknowledged (DESIGN 4.1).
   */
  readonly connection: number;

  /** Where the event lies that was acknowledged last; undefined before the first one. */
  readonly lastPublished: StreamPlace | undefined;

  /**
   * Creates the stream where it is missing, checks that it is fit to keep events, and tells its state.
   *
   * @throws MusterError `UNAVAILABLE` when it does not answer, `STREAM_UNUSABLE` when it would not keep the events.
   */
  inspect(): Promise<StreamState>;

  /** The id of the event at a sequence of the stream; undefined when the stream holds none there. */
  eventIdAt(sequence: number): Promise<string | undefined>;
}

/** A place in a stream. */
export interface StreamPlace {
  /** Names one life of the stream: a stream that was deleted and made again has another one. */
  readonly incarnation: string;
  /** The stream's own numbering, from 1. */
  readonly sequence: number;
  /** The id of the event there; undefined when nothing is known of it. */
  readonly eventId: string | undefined;
}

/** What a durable stream holds. */
export interface StreamState {
  readonly incarnation: string;
  /** The oldest sequence that is still held. */
  readonly firstSequence: number;
  /** The sequence of the last event that was ever added; 0 when none was. */
  readonly lastSequence: number;
  /** Milliseconds that events are kept; 0 when their age is no limit. */
  readonly maximumAgeMs: number;
  /** The last event that carries a log position; undefined when the stream holds none. */
  readonly lastLogged: LoggedEvent | undefined;
}

/** An event of a stream that carries the position that it has in its source's log. */
export interface LoggedEvent {
  readonly sequence: number;
  readonly eventId: string;
  readonly logPosition: number;
}

/** A publication that did not come to its end (`UNAVAILABLE`). */
export class PublishInterrupted extends MusterError {
  /** How many events, from the first on, the bus has acknowledged. Those after them may be there too. */
  readonly acknowledged: number;

  constructor(acknowledged: number, message: string, cause?: unknown) {
    super({
      code: 'UNAVAILABLE',
      message,
      remedy: 'Check that NATS runs and can be reached; the events wait in the log and are published afterwards.',
      cause,
    });
    this.acknowledged = acknowledged;
  }
}

/** Gets events in the order of their publication. */
export type EventListener = (event: AddressedEvent) => void;

/** The bus of a site that runs in one process (DESIGN 4.2). */
export class InProcessBus implements EventBus {
  readonly #listeners = new Set<EventListener>();

  async publish(events: readonly AddressedEvent[]): Promise<void> {
    for (const event of events) for (const listener of this.#listeners) listener(event);
  }

  /** @returns what ends the subscription. */
  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
