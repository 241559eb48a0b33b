import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { TcpProxy } from './tcp-proxy.ts';
import { until } from './until.ts';

const closing: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** A target that sends everything back, and a proxy before it. */
async function echoBehindProxy() {
  const accepted: Socket[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    accepted.push(socket);
    socket.on('error', () => undefined);
    socket.pipe(socket);
  });
  const proxy = await TcpProxy.start({ host: '127.0.0.1', port: await listening(server) });
  closing.push(
    () => server.close(),
    () => proxy.close(),
  );
  return { proxy, accepted };
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

/** A client that notes what happens to it. */
async function client(port: number) {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const seen = { text: '', ended: false, error: '' };
  socket.on('data', (chunk) => {
    seen.text += chunk.toString();
  });
  socket.on('end', () => {
    seen.ended = true;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    seen.error = error.code ?? error.message;
  });
  closing.push(() => socket.destroy());
  await until(() => socket.readyState === 'open' || seen.error !== '', 'the client knows whether it is connected');
  return { socket, seen };
}

describe('a link that can fail', () => {
  it('passes everything on, and the end of each side', async () => {
    const { proxy } = await echoBehindProxy();
    const { socket, seen } = await client(proxy.port);
    socket.end('hello');
    await until(() => seen.ended, 'the end came back');
    expect(seen).toEqual({ text: 'hello', ended: true, error: '' });
    await until(() => proxy.openConnections === 0, 'the proxy has let go of the connection');
  });

  it('refuses new connections, keeps open ones, and listens again on the same port', async () => {
    const { proxy } = await echoBehindProxy();
    const kept = await client(proxy.port);
    await proxy.setMode({ kind: 'refuse' });
    expect((await client(proxy.port)).seen.error).toBe('ECONNREFUSED');
    kept.socket.write('still here');
    await until(() => kept.seen.text === 'still here', 'the kept connection answers');
    await proxy.setMode({ kind: 'pass' });
    expect((await client(proxy.port)).seen.error).toBe('');
  });

  it('cuts: both sides of every open connection are reset', async () => {
    const { proxy, accepted } = await echoBehindProxy();
    const one = await client(proxy.port);
    const other = await client(proxy.port);
    await until(() => accepted.length === 2, 'both have reached the target');
    expect(proxy.cut()).toBe(2);
    await until(() => one.seen.error !== '' && other.seen.error !== '', 'both clients know');
    expect([one.seen.error, other.seen.error]).toEqual(['ECONNRESET', 'ECONNRESET']);
    await until(() => accepted.every((socket) => socket.destroyed), 'the target knows');
    expect((await client(proxy.port)).seen.error).toBe('');
  });

  it('delays each way, in order, and catches up at once when healed', async () => {
    const { proxy } = await echoBehindProxy();
    const { socket, seen } = await client(proxy.port);
    await proxy.setMode({ kind: 'delay', milliseconds: 120 });
    const startMs = performance.now();
    for (const letter of 'abcde') socket.write(letter);
    await until(() => seen.text.length === 5, 'the echo is back');
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(239);
    expect(seen.text).toBe('abcde');
    await proxy.setMode({ kind: 'delay', milliseconds: 60_000 });
    socket.write('f');
    await proxy.setMode({ kind: 'pass' });
    await until(() => seen.text === 'abcdef', 'what waited was passed on');
  });

  it('is a black hole: accepts, answers nothing, and delivers what was held when healed', async () => {
    const { proxy, accepted } = await echoBehindProxy();
    await proxy.setMode({ kind: 'black-hole', direction: 'both' });
    const { socket, seen } = await client(proxy.port);
    socket.write('lost?');
    await until(() => proxy.bytesSeen === 5, 'the proxy has taken the bytes');
    expect(accepted).toHaveLength(0);
    expect(seen.text).toBe('');
    await proxy.setMode({ kind: 'pass' });
    await until(() => seen.text === 'lost?', 'the echo came after healing');
  });

  it('is a black hole one way only', async () => {
    const { proxy, accepted } = await echoBehindProxy();
    const { socket, seen } = await client(proxy.port);
    await proxy.setMode({ kind: 'black-hole', direction: 'to-client' });
    socket.write('heard');
    await until(() => accepted[0]?.bytesRead === 5 && proxy.bytesSeen === 10, 'the target heard and answered');
    expect(seen.text).toBe('');
    await proxy.setMode({ kind: 'black-hole', direction: 'to-target' });
    await until(() => seen.text === 'heard', 'the answer came');
    socket.write('!');
    await until(() => proxy.bytesSeen === 11, 'the proxy has taken the byte');
    expect(accepted[0]?.bytesRead).toBe(5);
  });

  it('holds a bounded number of bytes and leaves the rest to the sender', async () => {
    const { proxy } = await echoBehindProxy();
    const { socket } = await client(proxy.port);
    await proxy.setMode({ kind: 'black-hole', direction: 'both' });
    const piece = Buffer.alloc(64 * 1024);
    let sent = 0;
    // The kernel's own buffers take some megabytes on loopback; 64 MiB are more than they and the proxy can hold.
    while (sent < 64 * 1024 * 1024) {
      socket.write(piece);
      sent += piece.length;
    }
    let stillFor = 0;
    let before = -1;
    await until(() => {
      stillFor = proxy.bytesSeen === before && before > 0 ? stillFor + 1 : 0;
      before = proxy.bytesSeen;
      return stillFor === 20;
    }, 'the proxy takes no more');
    expect(proxy.bytesSeen).toBeLessThanOrEqual(256 * 1024 + 64 * 1024);
  });
});
