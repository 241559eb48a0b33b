import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { vendorKeys } from '@muster/trust';
import { afterEach, describe, expect, it } from 'vitest';
import { SeededRandom } from '../seeded-random.ts';
import { until } from '../until.ts';
import { LoadConnection } from './load-connection.ts';
import { MachinePool } from './machine-pool.ts';

const closing: (() => unknown)[] = [];
const { question } = new MachinePool('test', new SeededRandom(1)).next();
const asked = { ...question, clientVersion: 'test/1.0' };

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A host that does one thing with each connection, and a connection to it. */
async function connectionTo(behave: (socket: Socket) => void) {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    closing.push(() => socket.destroy());
    socket.on('error', () => undefined);
    behave(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  return connectionToPort((server.address() as AddressInfo).port);
}

function connectionToPort(port: number, answerMs = 5_000) {
  const seen = { idleResets: 0 };
  const connection = new LoadConnection({
    host: '127.0.0.1',
    port,
    localAddress: '127.0.1.9',
    vendorKeys: vendorKeys(),
    connectMs: 1_000,
    answerMs,
    onIdleReset: () => {
      seen.idleResets += 1;
    },
  });
  closing.push(() => connection.close());
  return { connection, seen };
}

describe('how a request ended', () => {
  it('refused, when nobody listens', async () => {
    const { connection } = await connectionTo(() => undefined);
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    expect(await connectionToPort(port).connection.ask(asked, 0)).toMatchObject({ kind: 'failed', reason: 'refused' });
    expect(connection.usable).toBe(true);
  });

  it('reset, when the host breaks the connection off', async () => {
    const { connection, seen } = await connectionTo((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect(await connection.ask(asked, 0)).toMatchObject({ kind: 'failed', reason: 'reset' });
    expect(connection.usable).toBe(false);
    expect(seen.idleResets).toBe(0);
  });

  it('closed, when the host ends the connection in order', async () => {
    const { connection } = await connectionTo((socket) => socket.once('data', () => socket.end()));
    expect(await connection.ask(asked, 0)).toMatchObject({ kind: 'failed', reason: 'closed' });
    expect(await connection.ask(asked, 0)).toMatchObject({ kind: 'failed', reason: 'closed' });
  });

  it('silence, when no answer comes in time', async () => {
    const server = createServer((socket) => closing.push(() => socket.destroy()));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    closing.push(() => server.close());
    const { connection } = connectionToPort((server.address() as AddressInfo).port, 30);
    expect(await connection.ask(asked, 0)).toMatchObject({ kind: 'failed', reason: 'silence' });
    expect(connection.usable).toBe(false);
  });

  it('untrusted, when what comes is not the protocol', async () => {
    const { connection } = await connectionTo((socket) =>
      socket.once('data', () => socket.write('HTTP/1.1 400\r\n\r\n')),
    );
    expect(await connection.ask(asked, 0)).toMatchObject({ kind: 'failed', reason: 'untrusted' });
  });

  it('is told of a reset that came while nothing was asked', async () => {
    const { connection, seen } = await connectionTo((socket) => socket.resetAndDestroy());
    await until(() => !connection.usable, 'the connection has ended');
    expect(seen.idleResets).toBe(1);
  });
});
