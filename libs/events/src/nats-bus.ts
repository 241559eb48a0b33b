import type { AddressedEvent } from './cloud-event.ts';
import { type EventBus, PublishInterrupted } from './event-bus.ts';
import { announcementSubject, type GatewayAnnouncement } from './gateway-announcement.ts';
import { type NatsConnectionOptions, type NatsSession, ReconnectingConnection } from './nats-connection.ts';
import { NatsPublisher } from './nats-publisher.ts';
import { NatsStream } from './nats-stream.ts';
import { type ReadOptions, readStream, type StreamedEvent } from './read-stream.ts';
import { defaultStreamOptions, type StreamOptions } from './stream-configuration.ts';

/** What a bus on NATS is built from. */
export interface NatsBusOptions extends NatsConnectionOptions {
  /** What the stream is made with. */
  readonly stream?: StreamOptions;
}

/** What a readiness check or a status asks. */
export interface BusHealth {
  readonly connected: boolean;
  /** What is wrong, one sentence; undefined when nothing is. */
  readonly problem: string | undefined;
}

/**
 * Connects to NATS in the background and returns at once: a NATS that is absent delays events and stops nothing.
 *
 * @example
 * const bus = connectNatsBus({ servers: ['nats://127.0.0.1:4222'], name: 'counting-1' });
 */
export function connectNatsBus(options: NatsBusOptions): NatsBus {
  return new NatsBus(options);
}

/** The bus of a site whose services run apart (DESIGN 4.2): NATS, with a JetStream stream that keeps the events. */
export class NatsBus implements EventBus {
  readonly stream: NatsStream;
  readonly #connection: ReconnectingConnection;
  #publisher: { readonly session: NatsSession; readonly publisher: NatsPublisher } | undefined;
  #publishing: Promise<unknown> = Promise.resolve();

  constructor(options: NatsBusOptions) {
    this.stream = new NatsStream({
      options: { ...defaultStreamOptions, ...options.stream },
      session: () => this.#connection.session,
      onStatus: options.onStatus,
    });
    this.#connection = new ReconnectingConnection(options, () => undefined);
  }

  /** Whether a connection stands at this moment. */
  get connected(): boolean {
    return this.#connection.session !== undefined;
  }

  health(): BusHealth {
    return { connected: this.connected, problem: this.#connection.problem ?? this.stream.problem };
  }

  /**
   * Publishes into the stream, in order and after every publication that was asked for before. Nothing is buffered: it
   * fails at once without a connection, and within five seconds of the last acknowledgement otherwise.
   *
   * @throws PublishInterrupted
   */
  publish(events: readonly AddressedEvent[]): Promise<void> {
    // The connection that stands now, so that no event of this call goes into what another connection finds.
    const { session } = this.#connection;
    const published = this.#publishing.then(() => this.#publish(events, session));
    this.#publishing = published.catch(() => undefined);
    return published;
  }

  async #publish(events: readonly AddressedEvent[], session: NatsSession | undefined): Promise<void> {
    if (events.length === 0) return;
    if (session === undefined || session !== this.#connection.session) {
      throw new PublishInterrupted(0, this.#connection.problem ?? 'The connection to NATS was lost.');
    }
    // What cannot keep events must get none: they stay in the log.
    if (this.stream.inspectedConnection !== session.number) await this.stream.inspect();
    if (this.#publisher?.session !== session) {
      const publisher = new NatsPublisher(session, (sequence, id) => this.stream.acknowledged(sequence, id));
      this.#publisher = { session, publisher };
    }
    await this.#publisher.publisher.publish(events);
  }

  /**
   * Tells everybody how a gateway does (not in the stream: what counts is the last one). Dropped without a connection.
   *
   * @returns whether it was sent.
   */
  announceGateway(announcement: GatewayAnnouncement): boolean {
    const { session } = this.#connection;
    session?.connection.publish(announcementSubject(announcement.gatewayId), JSON.stringify(announcement));
    return session !== undefined;
  }

  /** Reads the stream in order, from a place on and without end (`read-stream.ts`). */
  read(options?: ReadOptions): AsyncIterable<StreamedEvent> {
    return readStream(() => this.#connection.session, this.stream.name, options);
  }

  /** Ends the connection for good; what was announced is sent first. */
  close(): Promise<void> {
    return this.#connection.close();
  }
}
