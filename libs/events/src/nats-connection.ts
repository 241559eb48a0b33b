import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { connect, credsAuthenticator, type NatsConnection, type NodeConnectionOptions } from '@nats-io/transport-node';

/** How to reach NATS. */
export interface NatsConnectionOptions {
  /** `nats://host:port`, or `tls://host:port`; one of a cluster is enough. */
  readonly servers: readonly string[];
  /** Who connects, as the server shows it. */
  readonly name: string;
  /** PEM files, read again for each connection, so that a certificate is renewed without a restart. */
  readonly tls?: {
    readonly authorityFile?: string | undefined;
    readonly certificateFile?: string | undefined;
    readonly keyFile?: string | undefined;
  };
  /** A file of NATS credentials (a JWT and its seed), read again for each connection. */
  readonly credentialsFile?: string | undefined;
  /** Told of each change of the connection and of the stream, for the log. It must not throw. */
  readonly onStatus?: ((status: BusStatus) => void) | undefined;
}

/** A change that an operator may want to see: one sentence, and the error behind it where there is one. */
export interface BusStatus {
  readonly level: 'info' | 'warn';
  readonly message: string;
  readonly error?: unknown;
}

/** One connection, from its start to its loss. */
export interface NatsSession {
  /** From 1; every connection has a number of its own. */
  readonly number: number;
  readonly connection: NatsConnection;
  /** Aborted when the connection is lost. */
  readonly lost: AbortSignal;
}

// A server that was away is found again within two seconds, and a crowd of clients does not come at once.
const shortestWaitMs = 200;
const longestWaitMs = 2_000;
const connectTimeoutMs = 3_000;
// A server that fell silent counts as lost after fifteen seconds at most; publications notice it earlier.
const pingEveryMs = 5_000;
const unansweredPings = 2;

/**
 * A connection to NATS that is made again for ever, with jitter, also when the first one fails: the absence of NATS
 * stops nothing (DESIGN 4.1).
 */
export class ReconnectingConnection {
  readonly #options: NatsConnectionOptions;
  readonly #onSession: (session: NatsSession) => void;
  readonly #closing = new AbortController();
  #connection: NatsConnection | undefined;
  #session: NatsSession | undefined;
  #lose: AbortController | undefined;
  #sessions = 0;
  #problem: string | undefined = 'It has not connected yet.';
  readonly #running: Promise<void>;

  /** @param onSession called at once when a connection stands. It must not throw. */
  constructor(options: NatsConnectionOptions, onSession: (session: NatsSession) => void) {
    this.#options = options;
    this.#onSession = onSession;
    this.#running = this.#run();
  }

  /** The connection that stands at this moment; undefined when none does. */
  get session(): NatsSession | undefined {
    return this.#session;
  }

  /** Why there is no connection, one sentence; undefined when there is one. */
  get problem(): string | undefined {
    return this.#session === undefined ? this.#problem : undefined;
  }

  /** Ends the connection for good. What was published without an acknowledgement is sent first, for two seconds at most. */
  async close(): Promise<void> {
    this.#closing.abort();
    const connection = this.#connection;
    if (connection !== undefined && this.#session !== undefined) {
      await Promise.race([connection.flush().catch(() => undefined), delay(2_000, undefined, { ref: false })]);
    }
    await connection?.close();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        const connection = await connect(this.#connectOptions());
        this.#connection = connection;
        if (this.#closing.signal.aborted) await connection.close();
        await this.#follow(connection);
      } catch (error) {
        this.#problem = `NATS cannot be reached: ${(error as Error).message.replace(/\.$/, '')}.`;
      }
      if (this.#closing.signal.aborted) return;
      await delay(jitter(), undefined, { signal: this.#closing.signal }).catch(() => undefined);
    }
  }

  /** Follows a connection, which comes again by itself, until it is given up. */
  async #follow(connection: NatsConnection): Promise<void> {
    const statuses = connection.status();
    if (!connection.isClosed()) this.#begin(connection);
    for await (const status of statuses) {
      if (status.type === 'disconnect' || status.type === 'close') this.#end();
      else if (status.type === 'reconnect') this.#begin(connection);
      else if (status.type === 'error') this.#tell('warn', 'NATS reports an error', status.error);
    }
    this.#end();
  }

  #begin(connection: NatsConnection): void {
    this.#end();
    this.#sessions += 1;
    this.#lose = new AbortController();
    this.#session = { number: this.#sessions, connection, lost: this.#lose.signal };
    this.#tell('info', `connected to NATS at ${connection.getServer()}`);
    this.#onSession(this.#session);
  }

  #end(): void {
    if (this.#session === undefined) return;
    this.#session = undefined;
    this.#problem = 'The connection to NATS is lost.';
    this.#lose?.abort();
    if (!this.#closing.signal.aborted) this.#tell('warn', 'the connection to NATS is lost; connecting again');
  }

  #tell(level: BusStatus['level'], message: string, error?: unknown): void {
    this.#options.onStatus?.({ level, message, ...(error === undefined ? {} : { error }) });
  }

  #connectOptions(): NodeConnectionOptions {
    const { servers, name, tls, credentialsFile } = this.#options;
    return {
      servers: [...servers],
      name,
      timeout: connectTimeoutMs,
      maxReconnectAttempts: -1,
      // Credentials may be repaired on disk while we run.
      ignoreAuthErrorAbort: true,
      reconnectDelayHandler: jitter,
      pingInterval: pingEveryMs,
      maxPingOut: unansweredPings,
      ...(tls === undefined ? {} : { tls: tlsOptions(tls) }),
      ...(credentialsFile === undefined
        ? {}
        : { authenticator: (nonce?: string) => credsAuthenticator(readFileSync(credentialsFile))(nonce) }),
    };
  }
}

function tlsOptions(tls: NonNullable<NatsConnectionOptions['tls']>) {
  return {
    ...(tls.authorityFile === undefined ? {} : { caFile: tls.authorityFile }),
    ...(tls.certificateFile === undefined ? {} : { certFile: tls.certificateFile }),
    ...(tls.keyFile === undefined ? {} : { keyFile: tls.keyFile }),
  };
}

function jitter(): number {
  return shortestWaitMs + Math.random() * (longestWaitMs - shortestWaitMs);
}
