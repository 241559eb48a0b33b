import { createServer, type Server, type Socket } from 'node:net';
import { MusterError } from '@muster/product-groups';
import type { Clock, Logger } from '@muster/service-kit';
import { AddressRates } from './address-rates.ts';
import { type AddressRange, AddressRanges, countedAddress, isLoopback, plainAddress } from './addresses.ts';
import { Connection, type ConnectionEvents, writeHighWaterBytes } from './connection.ts';
import type { GatewayLimits } from './limits.ts';
import { ProxiedArrival, type ProxiedArrivalEvents } from './proxied-arrival.ts';
import { type GatewayStatistics, increment, type LimitName } from './statistics.ts';

/** What a listener is built from. */
export interface ListenerParts {
  readonly limits: GatewayLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly statistics: GatewayStatistics;
  /** Proxies whose connections begin with a PROXY header, version 2, and are refused without one. */
  readonly proxyProtocolFrom: readonly AddressRange[];
  /** What comes in on the connections, until each is closed. */
  readonly events: Pick<ConnectionEvents, 'frame' | 'problem'>;
  /** Called when a connection was taken. */
  readonly onConnection: () => void;
}

const listenBacklog = 4_096;
const drainEveryMs = 20;
const proxyWarningEveryMs = 60_000;

/** The gateway's door: takes connections within the limits, ends them by the clock, and drains. */
export class Listener {
  readonly #parts: ListenerParts;
  readonly #server: Server;
  readonly #events: ConnectionEvents;
  readonly #arrivalEvents: ProxiedArrivalEvents;
  readonly #proxies: AddressRanges;
  readonly #connectionRates: AddressRates;
  readonly #connections = new Set<Connection | ProxiedArrival>();
  readonly #connectionsByAddress = new Map<string, number>();
  /** Connections that came in, taken or not. */
  #arrivals = 0;
  #proxyWarningMs = Number.NEGATIVE_INFINITY;

  constructor(parts: ListenerParts) {
    this.#parts = parts;
    this.#proxies = new AddressRanges(parts.proxyProtocolFrom);
    this.#connectionRates = new AddressRates(parts.limits.connectionRatePerAddress);
    this.#events = { ...parts.events, closed: (connection) => this.#forget(connection) };
    this.#arrivalEvents = {
      introduced: (arrival, client, rest) => this.#introduce(arrival, client, rest),
      refused: (arrival, problem) => this.#refuse(arrival, problem),
      closed: (arrival) => this.#connections.delete(arrival),
    };
    this.#server = createServer({
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 60_000,
      allowHalfOpen: true,
      highWaterMark: writeHighWaterBytes,
    });
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

  /** Acts on the time limits of every connection, and on what they hold; ends every rest. */
  sweep(): void {
    const { clock, limits, statistics } = this.#parts;
    const nowMs = clock.monotonicMs();
    let sharedBytes = 0;
    for (const connection of this.#connections) {
      connection.wake(nowMs);
      const passed = connection.expired(nowMs);
      if (passed !== undefined) increment(statistics.limits, passed);
      const beyond = connection.inputBytes - limits.inputBytes;
      if (beyond <= 0) continue;
      sharedBytes += beyond;
      if (sharedBytes <= limits.sharedInputBytes) continue;
      // It floods, and there is no room left for more than its share.
      sharedBytes -= beyond;
      increment(statistics.limits, 'input-buffer');
      connection.destroy();
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
    const { limits, clock } = this.#parts;
    this.#arrivals += 1;
    const address = plainAddress(socket.remoteAddress);
    if (!this.#proxies.includes(address)) {
      this.#admit(socket, address);
      return;
    }
    this.#connections.add(new ProxiedArrival(socket, limits, this.#arrivalEvents, () => clock.monotonicMs()));
  }

  /** Takes a connection of a client, unless its address has had its part. */
  #admit(socket: Socket, address: string, firstBytes?: Uint8Array): void {
    const { limits, clock, statistics, onConnection } = this.#parts;
    const nowMs = clock.monotonicMs();
    const counted = countedAddress(address);
    const open = this.#connectionsByAddress.get(counted) ?? 0;
    const reached = this.#reachedLimit(address, open, nowMs);
    if (reached !== undefined) {
      increment(statistics.limits, reached);
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    this.#connectionsByAddress.set(counted, open + 1);
    statistics.connectionsAccepted += 1;
    const connection = new Connection(socket, address, limits, this.#events, () => clock.monotonicMs());
    this.#connections.add(connection);
    onConnection();
    if (firstBytes !== undefined && firstBytes.length > 0) connection.receive(firstBytes, nowMs);
  }

  #reachedLimit(address: string, open: number, nowMs: number): LimitName | undefined {
    const { limits } = this.#parts;
    if (limits.connectionsPerAddress > 0 && open >= limits.connectionsPerAddress) return 'connections-per-address';
    if (isLoopback(address) && !limits.ratesOnLoopback) return undefined;
    return this.#connectionRates.take(address, nowMs) ? undefined : 'connection-rate';
  }

  #introduce(arrival: ProxiedArrival, client: string | undefined, rest: Uint8Array): void {
    this.#connections.delete(arrival);
    this.#admit(arrival.socket, client ?? plainAddress(arrival.socket.remoteAddress), rest);
  }

  /** Whoever set up the proxy has to learn of it, and a health check a second must not fill the log. */
  #refuse(arrival: ProxiedArrival, problem: string): void {
    const { clock, logger, statistics } = this.#parts;
    this.#connections.delete(arrival);
    increment(statistics.limits, 'proxy-header');
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#proxyWarningMs < proxyWarningEveryMs) return;
    this.#proxyWarningMs = nowMs;
    const remoteAddress = plainAddress(arrival.socket.remoteAddress);
    logger.warn({ remoteAddress, problem }, 'a proxy sent no PROXY protocol header of version 2');
  }

  #forget(connection: Connection): void {
    this.#connections.delete(connection);
    const counted = countedAddress(connection.remoteAddress);
    const open = (this.#connectionsByAddress.get(counted) ?? 1) - 1;
    if (open > 0) this.#connectionsByAddress.set(counted, open);
    else this.#connectionsByAddress.delete(counted);
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
