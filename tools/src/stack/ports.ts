import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:net';
import { MusterError } from '@muster/product-groups';

/** Everything of a stack serves on loopback only. */
export const loopback = '127.0.0.1';

/**
 * Below those that systems give to outgoing connections (32768 and up on Linux, 49152 on others): a port that is served
 * again after a crash must not have become the near end of somebody's connection meanwhile.
 */
const [firstPort, endPort] = [20_000, 32_000];
const attempts = 1_000;

/** Handed out already by this process, to stacks that start at the same time. */
const handedOut = new Set<number>();

/** A TCP port of loopback that nobody serves. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const port = randomInt(firstPort, endPort);
    if (handedOut.has(port) || !(await isFree(port))) continue;
    handedOut.add(port);
    return port;
  }
  throw new Error(`No free TCP port was found between ${firstPort} and ${endPort}.`);
}

/**
 * Consecutive ports from a first one on, or free ones where the first is 0.
 *
 * @param purpose whose ports they are, for the error.
 * @throws MusterError `PORT_IN_USE` naming the port that is taken, `ADDRESS_UNUSABLE`.
 */
export async function choosePorts(first: number, count: number, purpose: string): Promise<readonly number[]> {
  const ports: number[] = [];
  for (let index = 0; index < count; index += 1) {
    if (first === 0) ports.push(await freePort());
    else ports.push(await requirePort(first + index, purpose));
  }
  return ports;
}

async function requirePort(port: number, purpose: string): Promise<number> {
  try {
    await close(await listen(port));
    return port;
  } catch (error) {
    const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
    throw new MusterError({
      code: taken ? 'PORT_IN_USE' : 'ADDRESS_UNUSABLE',
      message: taken
        ? `Port ${port} on ${loopback} (${purpose}) is in use by another program.`
        : `Port ${port} on ${loopback} (${purpose}) cannot be served: ${(error as Error).message}.`,
      remedy: `Stop what uses it, or choose another port for ${purpose}.`,
      cause: error,
    });
  }
}

async function isFree(port: number): Promise<boolean> {
  try {
    await close(await listen(port));
    return true;
  } catch {
    return false;
  }
}

function listen(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(port, loopback, () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
