import { type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import type { StreamMessage } from './log-row.ts';

const streamName = 'MUSTER';
const connectMs = 2_000;
const fetchMs = 1_000;
const mostMessages = 5_000;

/** Reads a JetStream stream from its beginning on, as a consumer does, over a connection of its own each time. */
export class StreamReader {
  readonly #server: string;
  #lastSequence = 0;
  #created = '';

  /** @param server `nats://host:port`. */
  constructor(server: string) {
    this.#server = server;
  }

  /**
   * The messages since the call before, in order; all of them when the stream was made anew.
   *
   * @throws what NATS or the connection to it says.
   */
  async read(): Promise<StreamMessage[]> {
    const connection = await connect({ servers: this.#server, timeout: connectMs, reconnect: false });
    try {
      return await this.#readOver(connection, await jetstreamManager(connection, { timeout: connectMs }));
    } finally {
      await connection.close();
    }
  }

  async #readOver(connection: NatsConnection, manager: JetStreamManager): Promise<StreamMessage[]> {
    const { created, state } = await manager.streams.info(streamName);
    if (created !== this.#created || state.last_seq < this.#lastSequence) this.#lastSequence = 0;
    this.#created = created;
    const messages: StreamMessage[] = [];
    if (state.last_seq <= this.#lastSequence || state.messages === 0) return messages;
    const consumer = await jetstream(connection, { timeout: connectMs }).consumers.get(streamName, {
      deliver_policy: 'by_start_sequence',
      opt_start_seq: this.#lastSequence + 1,
    });
    while (this.#lastSequence < state.last_seq) {
      const before = this.#lastSequence;
      const wanted = Math.min(mostMessages, state.last_seq - before);
      for await (const message of await consumer.fetch({ max_messages: wanted, expires: fetchMs })) {
        messages.push({
          sequence: message.seq,
          subject: message.subject,
          messageId: message.headers?.get('Nats-Msg-Id') ?? '',
          event: parse(message.string()),
        });
        this.#lastSequence = message.seq;
      }
      if (this.#lastSequence === before) break; // The rest was removed from the stream.
    }
    return messages;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
