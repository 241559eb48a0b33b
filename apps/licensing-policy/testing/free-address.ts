import { once } from 'node:events';
import { createServer } from 'node:net';

/** An address of loopback on which nobody listens. */
export async function freeAddress(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the listener has no port');
  server.close();
  await once(server, 'close');
  return `127.0.0.1:${bound.port}`;
}
