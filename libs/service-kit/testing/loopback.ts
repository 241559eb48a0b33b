import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** An empty directory that is removed when the test is over. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'muster-service-kit-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Something that listens on loopback, and its address. */
export async function listener(
  host = '127.0.0.1',
  port = 0,
): Promise<{ readonly server: Server; readonly address: string }> {
  const server = createServer().listen(port, host);
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the listener has no port');
  return { server, address: `${host}:${bound.port}` };
}

/** An address of loopback on which nobody listens. */
export async function freeAddress(host?: string, port?: number): Promise<string> {
  const { server, address } = await listener(host, port);
  server.close();
  await once(server, 'close');
  return address;
}
