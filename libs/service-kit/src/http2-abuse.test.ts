import { fork } from 'node:child_process';
import { once } from 'node:events';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { expect, onTestFinished, test } from 'vitest';
import { connectToCounting, withoutRepetition } from '../testing/counting.ts';
import { freeAddress } from '../testing/loopback.ts';

const getCounts = {
  ':method': 'POST',
  ':path': '/muster.counting.v1.Counting/GetCounts',
  'content-type': 'application/grpc',
  te: 'trailers',
};
const mostFrames = 10_000;
/** What the server may take more for its abusers, for good. */
const allowedGrowth = 64 * 1024 * 1024;

/** A server in a process of its own. */
async function startServer() {
  const address = await freeAddress();
  const server = fork(fileURLToPath(new URL('../testing/counting-server.ts', import.meta.url)), [address]);
  onTestFinished(() => void server.kill('SIGKILL'));
  await once(server, 'message');
  const memory = async () => {
    server.send('memory?');
    const [bytes] = await once(server, 'message');
    return bytes as number;
  };
  return { address, memory, hasEnded: () => server.exitCode !== null || server.signalCode !== null };
}

/** Lets others call while somebody abuses the server; nobody else may notice. */
async function othersAreServed(abuse: (address: string) => Promise<void>): Promise<void> {
  const { address, memory, hasEnded } = await startServer();
  const counting = connectToCounting(address, credentials.createInsecure(), withoutRepetition);
  await counting.getCounts({ rules: [] });
  const before = await memory();
  let over = false;
  const outcome = { answered: 0, slowestMs: 0 };
  const others = async () => {
    while (!over || outcome.answered === 0) {
      const begun = performance.now();
      await counting.getCounts({ rules: [] });
      outcome.slowestMs = Math.max(outcome.slowestMs, performance.now() - begun);
      outcome.answered += 1;
    }
  };
  const calls = others();
  try {
    await Promise.race([abuse(address), calls]);
  } finally {
    over = true;
  }
  await calls;
  expect(hasEnded()).toBe(false);
  expect(outcome.slowestMs).toBeLessThan(4_000);
  expect((await memory()) - before).toBeLessThan(allowedGrowth);
}

/** Connects and writes frames as fast as the server takes them, reads nothing, and waits until the server has cut the connection. */
async function flood(address: string, frames: (index: number) => Buffer): Promise<void> {
  const [host = '', port] = address.split(':');
  const socket = connect(Number(port), host);
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  // The preface of RFC 9113, 3.4, and an empty SETTINGS frame.
  socket.write(Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), frame(4, 0, 0)]));
  for (let index = 0; index < mostFrames && !socket.destroyed; index += 1) {
    if (!socket.write(frames(index)))
      await Promise.race([new Promise((resolve) => socket.once('drain', resolve)), closed]);
  }
  // Nothing is read, so the end of the connection shows only when it is written to.
  socket.resume();
  await closed;
}

/** A frame of HTTP/2 (RFC 9113, 4.1). */
function frame(type: number, flags: number, stream: number, payload: Uint8Array = new Uint8Array()): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** Headers as literals without an index (RFC 7541, 6.2.2). */
function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  const text = (each: string) => [Buffer.from([each.length]), Buffer.from(each)];
  return Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [Buffer.from([0]), ...text(name), ...text(value)]),
  );
}

const [data, headers, reset, settings, ping, continuation] = [0, 1, 3, 4, 6, 9];
const endOfHeaders = 4;
const call = headerBlock({ ...getCounts, ':scheme': 'http', ':authority': 'muster' });
const streamOf = (index: number) => 2 * index + 1;

test.each<[string, (index: number) => Buffer]>([
  [
    'opens 10,000 calls and resets each at once',
    (index) =>
      Buffer.concat([
        frame(headers, endOfHeaders, streamOf(index), call),
        frame(reset, 0, streamOf(index), Buffer.from([0, 0, 0, 8])),
      ]),
  ],
  ['opens 10,000 calls and ends none', (index) => frame(headers, endOfHeaders, streamOf(index), call)],
  ['asks for an answer 10,000 times and reads none', () => frame(ping, 0, 0, Buffer.alloc(8))],
  ['changes its settings 10,000 times', () => frame(settings, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255]))],
  [
    'sends headers without an end',
    (index) => (index === 0 ? frame(headers, 0, 1, call) : frame(continuation, 0, 1, Buffer.alloc(16_000, 0x20))),
  ],
  ['sends what belongs to no call', (index) => frame(data, 0, streamOf(index), Buffer.alloc(16_000))],
])('who %s is cut, and others are served', async (_, frames) => {
  await othersAreServed(async (address) => {
    for (let attempt = 0; attempt < 20; attempt += 1) await flood(address, frames);
  });
});

test('headers of a megabyte are refused, and others are served', async () => {
  await othersAreServed(async (address) => {
    const client = connectHttp2(`http://${address}`, { maxSendHeaderBlockLength: 2 ** 30 });
    onTestFinished(() => client.destroy());
    client.on('error', () => undefined);
    for (let attempt = 0; attempt < 10 && !client.destroyed; attempt += 1) {
      const stream = client.request({ ...getCounts, 'x-large': 'x'.repeat(1024 * 1024) });
      let answered = false;
      stream.on('error', () => undefined);
      stream.on('response', () => {
        answered = true;
      });
      await once(stream, 'close').catch(() => undefined);
      expect(answered).toBe(false);
      expect(stream.rstCode).not.toBe(constants.NGHTTP2_NO_ERROR);
    }
  });
});
