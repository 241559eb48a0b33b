import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createLogger, ManualClock } from '@muster/service-kit';
import { encodeFrame, encodePing, type Frame, type FrameProblem, FrameReader, FrameType } from '@muster/wire-codec';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseAddressRange } from './addresses.ts';
import type { Connection } from './connection.ts';
import { defaultLimits, type GatewayLimits } from './limits.ts';
import { Listener } from './listener.ts';
import { GatewayStatistics } from './statistics.ts';

interface Door {
  readonly limits?: Partial<GatewayLimits>;
  readonly proxyProtocolFrom?: readonly string[];
  /** What is done with a frame; it is sent back by default. */
  readonly onFrame?: (connection: Connection, frame: Frame) => void;
}

/** A listener on loopback whose clock stands still, and what came in by it. */
async function openDoor({ limits, proxyProtocolFrom = [], onFrame }: Door = {}) {
  const clock = new ManualClock(0);
  const statistics = new GatewayStatistics();
  const names: string[] = [];
  const problems: FrameProblem[] = [];
  const listener = new Listener({
    limits: { ...defaultLimits, drainQuietMs: 0, ...limits },
    clock,
    logger: createLogger('test', 'silent'),
    statistics,
    proxyProtocolFrom: proxyProtocolFrom.flatMap((text) => parseAddressRange(text) ?? []),
    events: {
      frame(connection, frame) {
        names.push(connection.remoteAddress);
        if (onFrame === undefined) connection.send(FrameType.pong, frame.payload, false);
        else onFrame(connection, frame);
      },
      problem: (_, problem) => problems.push(problem),
    },
    onConnection: () => undefined,
  });
  const port = await listener.listen('127.0.0.1', 0);
  onTestFinished(() => listener.drain());
  const pass = (durationMs: number) => {
    clock.advance(durationMs);
    listener.sweep();
  };
  return { listener, statistics, names, problems, port, pass, clock };
}

/** A peer that notes what it gets. */
async function visit(port: number, localAddress = '127.0.0.1') {
  const socket = connect({ host: '127.0.0.1', port, localAddress, noDelay: true });
  const peer = { socket, bytes: 0, pongs: [] as string[], closed: false };
  const reader = new FrameReader(8_192);
  socket.on('data', (chunk) => {
    peer.bytes += chunk.length;
    for (const { payload } of reader.push(chunk).frames) peer.pongs.push(Buffer.from(payload).toString('hex'));
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    peer.closed = true;
  });
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  return peer;
}

const write = (socket: Socket, bytes: Uint8Array) =>
  new Promise<void>((resolve) => socket.write(bytes, () => setImmediate(resolve)));

/** A ping with a number, and the pong that answers it. */
const pingFrame = (number: number) =>
  encodeFrame(FrameType.ping, encodePing(Uint8Array.of(number >> 8, number & 0xff)));
const pongOf = (number: number) => Buffer.from(pingFrame(number).subarray(4)).toString('hex');

/** A PROXY header, version 2, for TCP over IPv4. */
function proxyHeader(client: string): Buffer {
  const start = Buffer.from('0d0a0d0a000d0a515549540a2111000c', 'hex');
  return Buffer.concat([start, Buffer.from([...client.split('.').map(Number), 127, 0, 0, 1, 0xc0, 1, 6, 0x98])]);
}

const localHeader = Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex');
const poll = { timeout: 10_000, interval: 5 };

describe('a connection of a configured proxy', () => {
  const proxies = { proxyProtocolFrom: ['127.0.0.9'] };

  test('is one of the client that its header names, wherever header and frames are split', async () => {
    const { port, names } = await openDoor(proxies);
    const stream = Buffer.concat([proxyHeader('192.0.2.1'), pingFrame(1), pingFrame(2)]);
    const splits = Array.from({ length: stream.length + 1 }, (_, at) => at);
    await Promise.all(
      splits.map(async (at) => {
        const peer = await visit(port, '127.0.0.9');
        await write(peer.socket, stream.subarray(0, at));
        await write(peer.socket, stream.subarray(at));
        await expect.poll(() => peer.pongs, poll).toEqual([pongOf(1), pongOf(2)]);
      }),
    );
    expect(new Set(names)).toEqual(new Set(['192.0.2.1']));
    expect(names).toHaveLength(2 * splits.length);
  });

  test('is one of the proxy itself after LOCAL', async () => {
    const { port, names } = await openDoor(proxies);
    const peer = await visit(port, '127.0.0.9');
    await write(peer.socket, Buffer.concat([localHeader, pingFrame(1)]));
    await expect.poll(() => peer.pongs, poll).toEqual([pongOf(1)]);
    expect(names).toEqual(['127.0.0.9']);
  });

  test('is closed without a byte and counted when it begins with anything else', async () => {
    const { port, statistics, listener } = await openDoor(proxies);
    for (const bytes of [pingFrame(1), Buffer.from('GET / HTTP/1.1\r\n'), Buffer.from('PROXY TCP4 1.1.1.1 ')]) {
      const peer = await visit(port, '127.0.0.9');
      await write(peer.socket, bytes);
      await expect.poll(() => peer.closed, poll).toBe(true);
      expect(peer.bytes).toBe(0);
    }
    expect(statistics.limits.get('proxy-header')).toBe(3);
    expect(statistics.connectionsAccepted).toBe(0);
    expect(listener.connectionsOpen).toBe(0);
  });

  test('is closed when its header does not begin, or does not end, in time', async () => {
    const { port, statistics, listener, pass } = await openDoor(proxies);
    const silent = await visit(port, '127.0.0.9');
    const slow = await visit(port, '127.0.0.9');
    await expect.poll(() => listener.connectionsOpen, poll).toBe(2);
    pass(5_001);
    await write(slow.socket, proxyHeader('192.0.2.1').subarray(0, 20));
    const other = await visit(port, '127.0.0.9');
    await write(other.socket, Buffer.concat([proxyHeader('192.0.2.2'), pingFrame(1)]));
    await expect.poll(() => other.pongs.length, poll).toBe(1);
    pass(4_998);
    expect(listener.connectionsOpen).toBe(3);
    pass(1);
    await expect.poll(() => silent.closed, poll).toBe(true);
    pass(1);
    await expect.poll(() => slow.closed, poll).toBe(true);
    expect(silent.bytes + slow.bytes).toBe(0);
    expect(Object.fromEntries(statistics.limits)).toEqual({ 'first-byte': 1, 'frame-time': 1 });
    expect(other.closed).toBe(false);
  });

  test('that ends before its header is forgotten', async () => {
    const { port, listener } = await openDoor(proxies);
    const peer = await visit(port, '127.0.0.9');
    await write(peer.socket, localHeader.subarray(0, 5));
    await expect.poll(() => listener.connectionsOpen, poll).toBe(1);
    peer.socket.end();
    await expect.poll(() => [peer.closed, listener.connectionsOpen], poll).toEqual([true, 0]);
  });

  test('counts for its client, and not for the proxy', async () => {
    const limits = { connectionsPerAddress: 2 };
    const { port, statistics, listener } = await openDoor({ ...proxies, limits });
    const enter = async (client: string) => {
      const peer = await visit(port, '127.0.0.9');
      await write(peer.socket, Buffer.concat([proxyHeader(client), pingFrame(1)]));
      await expect.poll(() => peer.closed || peer.pongs.length === 1, poll).toBe(true);
      return peer;
    };
    const first = await enter('192.0.2.1');
    await enter('192.0.2.1');
    await enter('192.0.2.2');
    expect((await enter('192.0.2.1')).bytes).toBe(0);
    expect(statistics.limits.get('connections-per-address')).toBe(1);
    first.socket.end();
    await expect.poll(() => listener.connectionsOpen, poll).toBe(2);
    expect((await enter('192.0.2.1')).pongs).toHaveLength(1);
  });

  test('that has not said anything does not hold up the end', async () => {
    const { port, listener } = await openDoor(proxies);
    const peer = await visit(port, '127.0.0.9');
    await expect.poll(() => listener.connectionsOpen, poll).toBe(1);
    await listener.drain();
    await expect.poll(() => peer.closed, poll).toBe(true);
  });
});

test("a stranger's PROXY header is another protocol, of either version", async () => {
  const { port, problems, names } = await openDoor({ proxyProtocolFrom: ['127.0.0.9'] });
  for (const bytes of [proxyHeader('192.0.2.1'), Buffer.from('PROXY TCP4 192.0.2.1 127.0.0.1 49153 1688\r\n')]) {
    const peer = await visit(port);
    await write(peer.socket, bytes);
    await expect.poll(() => peer.closed, poll).toBe(true);
    expect(peer.bytes).toBe(0);
  }
  expect(problems).toEqual(Array(2).fill({ kind: 'foreign-protocol', protocol: 'proxy-protocol' }));
  expect(names).toEqual([]);
});

describe('new connections of one address', () => {
  const fast = { connectionRatePerAddress: 2 };

  /** Opens so many, one after the other; returns how many were taken. */
  async function taken(port: number, number: number, localAddress: string): Promise<number> {
    let count = 0;
    for (let n = 0; n < number; n += 1) {
      const peer = await visit(port, localAddress);
      await write(peer.socket, pingFrame(1));
      await expect.poll(() => peer.closed || peer.pongs.length === 1, poll).toBe(true);
      count += peer.pongs.length;
      peer.socket.destroy();
    }
    return count;
  }

  test('are closed at once above their rate, and those of others are not', async () => {
    const { port, statistics, clock } = await openDoor({ limits: { ...fast, ratesOnLoopback: true } });
    expect(await taken(port, 13, '127.0.0.1')).toBe(10);
    expect(await taken(port, 10, '127.0.0.2')).toBe(10);
    clock.advance(500);
    expect(await taken(port, 3, '127.0.0.1')).toBe(1);
    expect(statistics.limits.get('connection-rate')).toBe(5);
  });

  test('of the machine itself have no rate unless it is wanted', async () => {
    const { port, statistics } = await openDoor({ limits: fast });
    expect(await taken(port, 30, '127.0.0.1')).toBe(30);
    expect(statistics.limits.size).toBe(0);
  });

  test('that a proxy brings have the rate of their client', async () => {
    const { port, statistics } = await openDoor({ limits: fast, proxyProtocolFrom: ['127.0.0.0/8'] });
    let count = 0;
    for (let n = 0; n < 12; n += 1) {
      const peer = await visit(port);
      await write(peer.socket, Buffer.concat([proxyHeader('192.0.2.1'), pingFrame(1)]));
      await expect.poll(() => peer.closed || peer.pongs.length === 1, poll).toBe(true);
      count += peer.pongs.length;
    }
    expect([count, statistics.limits.get('connection-rate')]).toEqual([10, 2]);
  });
});

test('hundreds of silent and slow connections end with their limits, and one that keeps to them stays', async () => {
  const { port, statistics, listener, pass } = await openDoor();
  const open = (number: number) => Promise.all(Array.from({ length: number }, () => visit(port)));
  const [silent, slow] = [await open(200), await open(200)];
  const [good] = await open(1);
  const send = async (byte: number) => {
    await Promise.all(slow.map(({ socket }) => write(socket, Uint8Array.of(byte))));
    // Its answer says that the bytes before it are read.
    const before = good?.pongs.length ?? 0;
    if (good !== undefined) await write(good.socket, pingFrame(1));
    await expect.poll(() => good?.pongs.length, poll).toBe(before + 1);
  };
  // A byte a second of a frame that announces 64.
  for (const byte of [1, FrameType.ping, 0, 64, 0]) {
    await send(byte);
    expect(listener.connectionsOpen).toBe(401);
    pass(1_000);
  }
  await expect.poll(() => slow.every(({ closed }) => closed), poll).toBe(true);
  expect(silent.some(({ closed }) => closed)).toBe(false);
  pass(5_000);
  await expect.poll(() => silent.every(({ closed }) => closed), poll).toBe(true);
  expect(Object.fromEntries(statistics.limits)).toEqual({ 'frame-time': 200, 'first-byte': 200 });
  await expect.poll(() => [good?.closed, listener.connectionsOpen], poll).toEqual([false, 1]);
});

describe('what a connection sends', () => {
  const numbers = Array.from({ length: 1_000 }, (_, index) => index + 1);

  test('may be a thousand frames in one packet', async () => {
    const { port } = await openDoor();
    const peer = await visit(port);
    await write(peer.socket, Buffer.concat(numbers.map(pingFrame)));
    await expect.poll(() => peer.pongs.length, poll).toBe(1_000);
    expect(peer.pongs).toEqual(numbers.map(pongOf));
  });

  test('may be split wherever it likes', async () => {
    const { port } = await openDoor();
    const stream = Buffer.concat(numbers.slice(0, 20).map(pingFrame));
    const expected = numbers.slice(0, 20).map(pongOf);
    const splits = Array.from({ length: stream.length + 1 }, (_, at) => at);
    await Promise.all(
      splits.map(async (at) => {
        const peer = await visit(port);
        await write(peer.socket, stream.subarray(0, at));
        await write(peer.socket, stream.subarray(at));
        await expect.poll(() => peer.pongs, poll).toEqual(expected);
      }),
    );
  });

  test('waits when its requests do, in order, until there is room', async () => {
    const waiting: Frame[] = [];
    const holders = new Set<Connection>();
    const { port, clock } = await openDoor({
      limits: { inFlightPerConnection: 3 },
      onFrame(connection, frame) {
        connection.begin();
        waiting.push(frame);
        holders.add(connection);
        expect(waiting.length).toBeLessThanOrEqual(3);
      },
    });
    const peer = await visit(port);
    const some = numbers.slice(0, 100);
    await write(peer.socket, Buffer.concat(some.map(pingFrame)));
    await expect
      .poll(() => {
        for (const connection of holders) {
          for (const { payload } of waiting.splice(0)) connection.send(FrameType.pong, payload, true);
          connection.flush(clock.monotonicMs());
        }
        return peer.pongs.length;
      }, poll)
      .toBe(100);
    expect(peer.pongs).toEqual(some.map(pongOf));
  });

  test('is answered also when the answers come while its frames are handed on', async () => {
    const { port, clock } = await openDoor({
      limits: { inFlightPerConnection: 1 },
      onFrame(connection, frame) {
        connection.begin();
        connection.send(FrameType.pong, frame.payload, true);
        connection.flush(clock.monotonicMs());
      },
    });
    const peer = await visit(port);
    await write(peer.socket, Buffer.concat(numbers.map(pingFrame)));
    await expect.poll(() => peer.pongs.length, poll).toBe(1_000);
    expect(peer.pongs).toEqual(numbers.map(pongOf));
  });

  /** Peers that send for as long as the door takes anything, while no request is answered. */
  async function flood(sharedInputBytes: number) {
    const connections = new Set<Connection>();
    const door = await openDoor({
      limits: { inFlightPerConnection: 1, sharedInputBytes },
      onFrame(connection) {
        connections.add(connection);
        connection.begin();
      },
    });
    onTestFinished(() => {
      for (const connection of connections) connection.destroy();
    });
    const peers = await Promise.all([1, 2, 3, 4].map(() => visit(door.port)));
    for (const { socket } of peers) socket.write(Buffer.alloc(4_000_000, pingFrame(1)));
    await expect.poll(() => connections.size, poll).toBe(4);
    await expect.poll(() => [...connections].every(({ inputBytes }) => inputBytes > 8_192), poll).toBe(true);
    return { ...door, peers, connections };
  }

  test('is not taken without bound while its requests wait: a few reads of it are held', async () => {
    const { listener, connections, statistics } = await flood(defaultLimits.sharedInputBytes);
    listener.sweep();
    for (const { inputBytes } of connections) expect(inputBytes).toBeLessThanOrEqual(160 * 1_024);
    expect(statistics.limits.size).toBe(0);
  });

  test('ends its connection when all together hold too much', async () => {
    const { listener, peers, statistics, port } = await flood(0);
    const quiet = await visit(port);
    listener.sweep();
    await expect.poll(() => peers.every(({ closed }) => closed), poll).toBe(true);
    expect(statistics.limits.get('input-buffer')).toBe(4);
    expect(quiet.closed).toBe(false);
  });
});
