import { createServer, type Server, type Socket } from 'node:net';
import { MusterError } from '@muster/product-groups';
import type { Clock } from '@muster/service-kit';
import { Connection, type ConnectionEvents, plainAddress } from './connection.ts';
import type { GatewayLimits } from './limits.ts';
import { type GatewayStatistics, increment } from './statistics.ts';

/** What a listener is built from. */
export interface ListenerParts {
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  readonly statistics: GatewayStatistics;
  /** What comes in on the connections, until each is closed. */
  readonly events: Pick<ConnectionEvents, 'frame' | 'problem'>;
  /** Called when a connection was taken. */
  readonly onConnection: () => void;
}

const listenBacklog = 4_096;
const drainEveryMs = 20;

/** The gateway's door: takes connections within the limits, ends them by the clock, and drains. */
export class Listener {
  readonly #parts: ListenerParts;
  readonly #server: Server;
  readonly #events: ConnectionEvents;
  readonly #connections = new Set<Connection>();
  readonly #connectionsByAddress = new Map<string, number>();
  /** Connections that came in, taken or not. */
  #arrivals = 0;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
    this.#events = { ...parts.events, closed: (connection) => this.#forget(connection) };
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: 60_000, allowHalfOpen: true });
    this.#server.maxConnections = parts.limits.connections;
    this.#server.on('connection', (socket) => this.#accept(socket));
    this.#server.on('drop', () => {
      this.#arrivals += 1;
      increment(parts.statistics.limits, 'connections');
    });
  }

  /** Connections that are open now. */
  get connectionsOpen(): number {
    return this.#connections.size;
  }

  /**
   * Listens on an address, or on all of them.
   *
   * @returns the port, which the system chooses when 0 was asked for.
   * @throws MusterError `PORT_IN_USE` or `ADDRESS_UNUSABLE`.
   */
  listen(address: string | undefined, port: number): Promise<number> {
    return listen(this.#server, address, port);
  }

  /** Acts on the time limits of every connection. */
  sweep(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const connection of this.#connections) {
      const passed = connection.expired(nowMs);
      if (passed !== undefined) increment(this.#parts.statistics.limits, passed);
    }
  }

  /**
   * Takes no more connections and ends each one when it has gone quiet. Returns when all are closed; after the drain
   * limit the rest is cut.
   */
  async drain(): Promise<void> {
    const { limits, clock } = this.#parts;
    await this.#takeBacklog();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const startedMs = clock.monotonicMs();
    const ending = setInterval(() => {
      const nowMs = clock.monotonicMs();
      const late = nowMs - startedMs >= limits.drainMs;
      for (const connection of this.#connections) {
        if (late) connection.destroy();
        else connection.endIfQuiet(nowMs, limits.drainQuietMs);
      }
    }, drainEveryMs);
    await closed;
    clearInterval(ending);
  }

  /**
   * Connections that the system has taken already are ours to answer, and closing the listener would reset them. The
   * event loop brings in one a turn, so they are all here after a whole turn without one.
   */
  async #takeBacklog(): Promise<void> {
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    for (let turns = 0, before = -1; before < this.#arrivals && turns < listenBacklog; turns += 1) {
      before = this.#arrivals;
      await turn(); // The rest of a turn that had begun.
      await turn();
    }
  }

  #accept(socket: Socket): void {
    const { limits, clock, statistics, onConnection } = this.#parts;
    this.#arrivals += 1;
    const address = plainAddress(socket.remoteAddress);
    const open = this.#connectionsByAddress.get(address) ?? 0;
    if (limits.connectionsPerAddress > 0 && open >= limits.connectionsPerAddress) {
      increment(statistics.limits, 'connections-per-address');
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    this.#connectionsByAddress.set(address, open + 1);
    statistics.connectionsAccepted += 1;
    this.#connections.add(new Connection(socket, limits, this.#events, () => clock.monotonicMs()));
    onConnection();
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection);
    const open = (this.#connectionsByAddress.get(connection.remoteAddress) ?? 1) - 1;
    if (open > 0) this.#connectionsByAddress.set(connection.remoteAddress, open);
    else this.#connectionsByAddress.delete(connection.remoteAddress);
  }
}

function listen(server: Server, address: string | undefined, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(listenError(error, address ?? 'all addresses', port)),
    );
    server.listen({ ...(address === undefined ? {} : { host: address }), port, backlog: listenBacklog }, () => {
      const bound = server.address();
      resolve(bound === null || typeof bound === 'string' ? port : bound.port);
    });
  });
}

function listenError(error: NodeJS.ErrnoException, address: string, port: number): MusterError {
  if (error.code === 'EADDRINUSE') {
    return new MusterError({
      code: 'PORT_IN_USE',
      message: `Port ${port} on ${address} is in use by another program.`,
      remedy: 'Stop that program, or choose another port (--activation-port, MUSTER_GATEWAY_PORT).',
      cause: error,
    });
  }
  return new MusterError({
    code: 'ADDRESS_UNUSABLE',
    message: `The gateway cannot listen on ${address} port ${port}: ${error.message}.`,
    remedy: 'Choose an address of this machine, and a port that this user may open.',
    cause: error,
  });
}
