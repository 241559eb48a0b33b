import { once } from 'node:events';
import { createServer, connect as open, type Socket } from 'node:net';

/** A way to a server that a test cuts and joins: a cable, as far as both ends can see. */
export interface CuttableConnection {
  /** The address of the server, through the cable. */
  readonly url: string;
  cut(): void;
  join(): void;
  close(): Promise<void>;
}

/** Lays a cable to the server of an address. */
export async function cuttable(serverUrl: string): Promise<CuttableConnection> {
  const { hostname, port } = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let isCut = false;
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
  };
  const cutAll = () => {
    for (const socket of sockets) socket.destroy();
  };
  const server = createServer((near) => {
    keep(near);
    if (isCut) {
      near.destroy();
      return;
    }
    const far = open(Number(port), hostname);
    keep(far);
    near.pipe(far).pipe(near);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(serverUrl);
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the cable has no port');
  url.host = `127.0.0.1:${bound.port}`;
  return {
    url: url.href,
    cut() {
      isCut = true;
      cutAll();
    },
    join() {
      isCut = false;
    },
    async close() {
      cutAll();
      server.close();
      await once(server, 'close');
    },
  };
}
