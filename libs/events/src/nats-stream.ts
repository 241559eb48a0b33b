import { MusterError } from '@muster/product-groups';
import {
  JetStreamApiError,
  type JetStreamManager,
  jetstreamManager,
  type StoredMsg,
  type StreamInfo,
} from '@nats-io/jetstream';
import { RequestError } from '@nats-io/transport-node';
import { logPositionOf } from './cloud-event.ts';
import type { EventStream, LoggedEvent, StreamPlace, StreamState } from './event-bus.ts';
import { fromMessage } from './event-message.ts';
import type { BusStatus, NatsSession } from './nats-connection.ts';
import { checkConfiguration, maximumAgeOf, type StreamOptions, toConfiguration } from './stream-configuration.ts';

/** Events of the activation log, which are the ones that carry a log position. */
const loggedSubjects = 'muster.v1.activation.>';

/** The id that JetStream de-duplicates by; ours is the id of the event. */
const messageIdHeader = 'Nats-Msg-Id';

const requestTimeoutMs = 3_000;

/** What JetStream calls the reasons that a stream is not there or cannot be made. */
const apiCode = {
  streamNotFound: 10059,
  streamNameInUse: 10058,
  insufficientStorage: 10047,
  replicasNeedCluster: 10074,
};

/** What the stream of a bus is built from. */
interface NatsStreamParts {
  readonly options: Required<StreamOptions>;
  session(): NatsSession | undefined;
  readonly onStatus: ((status: BusStatus) => void) | undefined;
}

/** The JetStream stream of a bus: made or checked, and asked for its state. */
export class NatsStream implements EventStream {
  readonly #parts: NatsStreamParts;
  #lastPublished: StreamPlace | undefined;
  #incarnation: string | undefined;
  #inspectedConnection = 0;
  #problem: string | undefined;
  #differences = '';

  constructor(parts: NatsStreamParts) {
    this.#parts = parts;
  }

  get name(): string {
    return this.#parts.options.name;
  }

  get connection(): number {
    return this.#parts.session()?.number ?? 0;
  }

  get lastPublished(): StreamPlace | undefined {
    return this.#lastPublished;
  }

  /** The connection over which the stream was found fit to keep events; 0 before the first. */
  get inspectedConnection(): number {
    return this.#inspectedConnection;
  }

  /** Why the stream was not usable when it was looked at last, one sentence; undefined when it was. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Notes an acknowledgement of an event. */
  acknowledged(sequence: number, eventId: string): void {
    if (this.#incarnation !== undefined) {
      this.#lastPublished = { incarnation: this.#incarnation, sequence, eventId };
    }
  }

  async inspect(): Promise<StreamState> {
    const { connection } = this;
    try {
      const manager = await this.#manager();
      const info = await this.#ensure(manager);
      this.#tellDifferences(checkConfiguration(info.config, this.#parts.options));
      const last = await manager.streams.getMessage(this.name, { last_by_subj: loggedSubjects });
      this.#incarnation = info.created;
      this.#problem = undefined;
      this.#inspectedConnection = connection;
      return {
        incarnation: info.created,
        firstSequence: info.state.first_seq,
        lastSequence: info.state.last_seq,
        maximumAgeMs: maximumAgeOf(info.config),
        lastLogged: last === null ? undefined : toLoggedEvent(last),
      };
    } catch (error) {
      const described = this.#describe(error);
      if (this.#problem !== described.message) {
        this.#parts.onStatus?.({ level: 'warn', message: `${described.message} ${described.remedy}`, error });
      }
      this.#problem = described.message;
      throw described;
    }
  }

  async eventIdAt(sequence: number): Promise<string | undefined> {
    try {
      const manager = await this.#manager();
      const message = await manager.streams.getMessage(this.name, { seq: sequence });
      return message?.header.get(messageIdHeader) || undefined;
    } catch (error) {
      throw this.#describe(error);
    }
  }

  async #manager(): Promise<JetStreamManager> {
    const session = this.#parts.session();
    if (session === undefined) throw unavailable('There is no connection to NATS.');
    return jetstreamManager(session.connection, { checkAPI: false, timeout: requestTimeoutMs });
  }

  /** Replicas that find no stream at once all make the same one; the server takes that for one and the same. */
  async #ensure(manager: JetStreamManager): Promise<StreamInfo> {
    try {
      return await manager.streams.info(this.name);
    } catch (error) {
      if (!isApiError(error, apiCode.streamNotFound)) throw error;
    }
    try {
      const info = await manager.streams.add(toConfiguration(this.#parts.options));
      this.#parts.onStatus?.({ level: 'info', message: `made the JetStream stream ${this.name}` });
      return info;
    } catch (error) {
      // Another replica with other settings was quicker.
      if (isApiError(error, apiCode.streamNameInUse)) return manager.streams.info(this.name);
      throw error;
    }
  }

  #tellDifferences(differences: readonly string[]): void {
    const text = differences.join('; ');
    if (text !== '' && text !== this.#differences) {
      this.#parts.onStatus?.({ level: 'info', message: `the JetStream stream ${this.name} stays as it is: ${text}` });
    }
    this.#differences = text;
  }

  #describe(error: unknown): MusterError {
    if (error instanceof MusterError) return error;
    const { maximumBytes, replicas } = this.#parts.options;
    if (isApiError(error, apiCode.insufficientStorage)) {
      return new MusterError({
        code: 'STREAM_UNUSABLE',
        message: `The NATS server has no room for a stream of ${maximumBytes} bytes.`,
        remedy: 'Set MUSTER_NATS_STREAM_MAX_GIB lower, or jetstream max_file_store of the server higher.',
        cause: error,
      });
    }
    if (isApiError(error, apiCode.replicasNeedCluster)) {
      return new MusterError({
        code: 'STREAM_UNUSABLE',
        message: `A stream with ${replicas} replicas needs a cluster of as many NATS servers.`,
        remedy: 'Set MUSTER_NATS_STREAM_REPLICAS to 1, or join the servers in a cluster.',
        cause: error,
      });
    }
    if (nobodyAnswers(error)) {
      return new MusterError({
        code: 'STREAM_UNUSABLE',
        message: 'The NATS server does not answer for JetStream.',
        remedy: 'Start it with JetStream (deploy/nats/nats.conf), or wait for its cluster to have a leader.',
        cause: error,
      });
    }
    const reason = (error as Error).message.replace(/\.$/, '');
    return unavailable(`The JetStream stream ${this.name} does not answer: ${reason}.`, error);
  }
}

function toLoggedEvent(message: StoredMsg): LoggedEvent | undefined {
  const event = fromMessage({ subject: message.subject, headers: message.header, data: message.data })?.event;
  const logPosition = event === undefined ? undefined : logPositionOf(event);
  if (event === undefined || logPosition === undefined) return undefined;
  return { sequence: message.seq, eventId: event.id, logPosition };
}

function isApiError(error: unknown, code: number): boolean {
  return error instanceof JetStreamApiError && error.code === code;
}

/** Whether there was nobody at the server to ask: JetStream is off, or has no leader. */
function nobodyAnswers(error: unknown): boolean {
  const cause = (error as Error).cause;
  return cause instanceof RequestError && cause.isNoResponders();
}

function unavailable(message: string, cause?: unknown): MusterError {
  return new MusterError({
    code: 'UNAVAILABLE',
    message,
    remedy: 'Check that NATS runs and can be reached; the events wait in the log and are published afterwards.',
    cause,
  });
}
