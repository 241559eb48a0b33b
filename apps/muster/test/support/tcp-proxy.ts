import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** A TCP proxy on loopback that can be cut, or fall silent without a word as a frozen peer does. */
export class TcpProxy {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  #silent = false;

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      const target = connect({ host: '127.0.0.1', port: targetPort });
      this.#join(client, target);
      this.#join(target, client);
    });
  }

  static async to(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    const bound = proxy.#server.address();
    if (bound === null || typeof bound === 'string') throw new Error('the proxy has no port');
    proxy.#port = bound.port;
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** While it is silent, connections are taken and stay open, and no byte passes; afterwards what waited does. */
  set silent(silent: boolean) {
    this.#silent = silent;
    for (const socket of this.#sockets) {
      if (silent) socket.pause();
      else socket.resume();
    }
  }

  /** Breaks every connection and takes no more. */
  cut(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('data', (chunk) => to.write(chunk));
    from.on('end', () => to.end());
    from.on('error', () => to.destroy());
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    if (this.#silent) from.pause();
  }
}
