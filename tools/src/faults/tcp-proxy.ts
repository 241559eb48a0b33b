import { createServer, type Server, Socket } from 'node:net';
import { type LinkState, OneWay, passing } from './one-way.ts';

/** Where a connection goes to. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/**
 * What the proxy does with connections.
 *
 * - `pass`: everything goes through.
 * - `refuse`: nobody listens any more; what is open stays open.
 * - `delay`: each byte arrives so many milliseconds later, in both directions.
 * - `black-hole`: nothing arrives, and nobody is told. As on a network that loses packets, what was sent meanwhile
 *   arrives after healing (TCP sends it again), so that a stream never has a hole in its middle.
 */
export type ProxyMode =
  | { readonly kind: 'pass' }
  | { readonly kind: 'refuse' }
  | { readonly kind: 'delay'; readonly milliseconds: number }
  | { readonly kind: 'black-hole'; readonly direction: 'both' | 'to-target' | 'to-client' };

/** Ports below those that Linux gives to outgoing connections, so that a closed listener finds its port free again. */
const firstPort = 20_000;
const lastPort = 32_000;
const listenAttempts = 200;

let nextPort = firstPort + (process.pid % (lastPort - firstPort));

interface Connection {
  readonly client: Socket;
  readonly target: Socket;
  readonly toTarget: OneWay;
  readonly toClient: OneWay;
  /** Connects to the target, once. */
  reach(): void;
}

/** A link between two processes that can be made to fail, at any time and as often as one likes. */
export class TcpProxy {
  readonly port: number;
  readonly #target: Endpoint;
  readonly #keepsClientAddress: boolean;
  readonly #connections = new Set<Connection>();
  #server: Server;
  #mode: ProxyMode = { kind: 'pass' };
  #bytes = 0;

  private constructor(server: Server, port: number, target: Endpoint, keepsClientAddress: boolean) {
    this.#server = server;
    this.port = port;
    this.#target = target;
    this.#keepsClientAddress = keepsClientAddress;
    server.on('connection', (socket) => this.#accept(socket));
  }

  /**
   * Listens on loopback and forwards to the target.
   *
   * @param options.keepsClientAddress connects from the address that the client came from, as a transparent proxy does;
   * works for the addresses of loopback.
   */
  static async start(target: Endpoint, options: { readonly keepsClientAddress?: boolean } = {}): Promise<TcpProxy> {
    for (let attempt = 0; attempt < listenAttempts; attempt += 1) {
      const port = nextPort;
      nextPort = nextPort === lastPort ? firstPort : nextPort + 1;
      const server = await listen(port).catch(() => undefined);
      if (server !== undefined) return new TcpProxy(server, port, target, options.keepsClientAddress ?? false);
    }
    throw new Error(`None of ${listenAttempts} ports below ${nextPort} is free.`);
  }

  get mode(): ProxyMode {
    return this.#mode;
  }

  /** Connections that are open at this moment. */
  get openConnections(): number {
    return this.#connections.size;
  }

  /** Bytes that have arrived from either side since the start. */
  get bytesSeen(): number {
    return this.#bytes;
  }

  /** Changes what happens from now on, to open connections too. */
  async setMode(mode: ProxyMode): Promise<void> {
    const before = this.#mode;
    this.#mode = mode;
    if (mode.kind === 'refuse' && before.kind !== 'refuse') {
      // Ends when the last open connection does, which is not waited for: the port is closed at once.
      this.#server.close();
    } else if (mode.kind !== 'refuse' && before.kind === 'refuse') {
      this.#server = await listen(this.port);
      this.#server.on('connection', (socket) => this.#accept(socket));
    }
    for (const connection of this.#connections) this.#apply(connection);
  }

  /** Resets every open connection on both sides. @returns how many there were. */
  cut(): number {
    const cut = this.#connections.size;
    for (const { client, target } of this.#connections) {
      client.resetAndDestroy();
      target.resetAndDestroy();
    }
    return cut;
  }

  async close(): Promise<void> {
    this.cut();
    if (this.#mode.kind !== 'refuse') await new Promise((resolve) => this.#server.close(resolve));
  }

  #accept(client: Socket): void {
    let reached = false;
    const target = new Socket({ allowHalfOpen: true });
    const connection: Connection = {
      client,
      target,
      toTarget: new OneWay(client, target, (bytes) => this.#count(bytes)),
      toClient: new OneWay(target, client, (bytes) => this.#count(bytes)),
      reach: () => {
        if (reached) return;
        reached = true;
        const localAddress = this.#keepsClientAddress ? client.remoteAddress : undefined;
        target.connect(localAddress === undefined ? this.#target : { ...this.#target, localAddress });
      },
    };
    client.setNoDelay(true);
    target.setNoDelay(true);
    this.#connections.add(connection);
    let open = 2;
    const closed = () => {
      open -= 1;
      if (open === 0) this.#connections.delete(connection);
    };
    client.once('close', closed);
    target.once('close', closed);
    this.#apply(connection);
  }

  #apply({ toTarget, toClient, reach }: Connection): void {
    const toTargetState = stateOf(this.#mode, 'to-target');
    // A target that no packet reaches does not hear of the connection either. Reached first: a socket takes no bytes
    // before it knows where to.
    if (!toTargetState.held) reach();
    toTarget.setState(toTargetState);
    toClient.setState(stateOf(this.#mode, 'to-client'));
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
  }
}

function stateOf(mode: ProxyMode, direction: 'to-target' | 'to-client'): LinkState {
  if (mode.kind === 'delay') return { held: false, delayMs: mode.milliseconds };
  if (mode.kind !== 'black-hole') return passing;
  return { held: mode.direction === 'both' || mode.direction === direction, delayMs: 0 };
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true });
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}
