import { connect as connectTls } from 'node:tls';
import { encodeErrorReply, encodeFrame, encodePing, encodePong, FrameType, parsePong } from '@muster/wire-codec';
import fc from 'fast-check';
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { until } from './support/cleanup.ts';
import { newMachine, range } from './support/machines.ts';
import { frameOf, requestOf } from './support/raw-connection.ts';
import { startTestSite, type TestSite } from './support/test-site.ts';

const hourMs = 60 * 60 * 1000;

let site: TestSite;

beforeAll(async () => {
  site = await startTestSite();
});

// Whatever was sent: the next client is served, and nothing stays open.
afterEach(async () => {
  const [answer] = await site.askEach([newMachine()]);
  expect(answer?.code).toMatch(/^(GRANTED|COUNT_INSUFFICIENT)$/);
  await until(() => site.site.gateway.connectionsOpen === 0, 'every connection is closed');
});

/** A request that is right in everything. */
const goodRequest = () => requestOf(newMachine(), site.clock.nowMs());

describe('a peer that speaks something else', () => {
  const foreign = [
    { protocol: 'http', name: 'an HTTP request', bytes: 'GET / HTTP/1.1\r\nHost: kms.example\r\n\r\n' },
    { protocol: 'http', name: 'an HTTP POST', bytes: 'POST /activate HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}' },
    { protocol: 'http', name: 'an HTTP/2 preface', bytes: 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n' },
    { protocol: 'ssh', name: 'an SSH greeting', bytes: 'SSH-2.0-OpenSSH_9.6\r\n' },
    { protocol: 'dce-rpc', name: 'a DCE/RPC bind', bytes: Buffer.from('05000b0310000000a000000002000000', 'hex') },
    { protocol: 'smb', name: 'an SMB negotiation', bytes: Buffer.from('00000054ff534d4272000000', 'hex') },
    { protocol: 'proxy-protocol', name: 'a PROXY header', bytes: Buffer.from('0d0a0d0a000d0a515549540a', 'hex') },
    { protocol: 'unknown', name: 'bytes of no protocol', bytes: Buffer.from('fffefdfcfbfa', 'hex') },
  ];

  test.each(foreign)('is closed without a byte when it sends $name', async ({ protocol, bytes }) => {
    const { foreignProtocols } = site.site.gateway.statistics;
    const before = foreignProtocols.get(protocol) ?? 0;
    const connection = await site.connectRaw();
    await connection.write(bytes);
    await connection.untilClosed();
    expect(connection.bytesReceived).toBe(0);
    expect(foreignProtocols.get(protocol)).toBe(before + 1);
  });

  test('gets no TLS', async () => {
    const { foreignProtocols } = site.site.gateway.statistics;
    const before = foreignProtocols.get('tls') ?? 0;
    const failure = await new Promise<Error>((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port: site.site.activationPort, rejectUnauthorized: false });
      socket.once('error', resolve);
      socket.once('secureConnect', () => reject(new Error('the gateway spoke TLS')));
    });
    expect(failure).toMatchObject({ code: 'ECONNRESET' });
    expect(foreignProtocols.get('tls')).toBe(before + 1);
  });
});

describe('bytes at random', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 600 });
  const frames = fc
    .array(fc.tuple(fc.constantFrom(...Object.values(FrameType)), fc.uint8Array({ maxLength: 300 })), { maxLength: 8 })
    .map((parts) => Buffer.concat(parts.map(([type, payload]) => encodeFrame(type, payload))));
  const damaged = fc
    .record({ position: fc.nat(10_000), byte: fc.nat(255), cut: fc.nat(10_000) })
    .map(({ position, byte, cut }) => {
      const frame = Buffer.from(frameOf(goodRequest()));
      frame[position % frame.length] = byte;
      return frame.subarray(0, (cut % frame.length) + 1);
    });

  test('end with a closed connection and are answered by frames of the protocol or not at all', async () => {
    const property = fc.asyncProperty(fc.oneof(bytes, frames, damaged), async (sent) => {
      const connection = await site.connectRaw();
      await connection.write(sent);
      connection.end();
      await connection.untilClosed();
      expect(connection.failure?.message ?? '').not.toMatch(/something else/);
    });
    await fc.assert(property, { numRuns: 400 });
  });
});

describe('a frame', () => {
  test('that is cut short by the end of the connection is not answered', async () => {
    const connection = await site.connectRaw();
    await connection.write(frameOf(goodRequest()).subarray(0, 100));
    connection.end();
    await connection.untilClosed();
    expect(connection.bytesReceived).toBe(0);
  });

  test.each([4_097, 65_535])('that announces %i bytes is refused before they come', async (length) => {
    const connection = await site.connectRaw();
    await connection.write(Buffer.from([1, FrameType.activationRequest, length >> 8, length & 0xff]));
    expect(await connection.nextError()).toMatchObject({
      code: 'MALFORMED_REQUEST',
      message: `The frame announces ${length} bytes, and 4096 are allowed.`,
    });
    await connection.untilClosed();
  });

  test('of 4,096 bytes is taken', async () => {
    const connection = await site.connectRaw();
    await connection.send(FrameType.activationRequest, Buffer.alloc(4_096, 0xff));
    expect(await connection.nextError()).toMatchObject({ code: 'MALFORMED_REQUEST' });
    connection.end();
    await connection.untilClosed();
  });

  test('of version 2 is answered UNSUPPORTED_VERSION, and the connection is closed', async () => {
    const connection = await site.connectRaw();
    const frame = frameOf(goodRequest());
    frame[0] = 2;
    await connection.write(frame);
    expect(await connection.nextError()).toMatchObject({
      code: 'UNSUPPORTED_VERSION',
      message: expect.stringContaining('version 2'),
      remedy: expect.stringMatching(/./),
    });
    await connection.untilClosed();
  });

  test.each([0, 8, 255])(
    'of the unknown type %i is answered MALFORMED_REQUEST, and the connection is closed',
    async (type) => {
      const connection = await site.connectRaw();
      await connection.write(Buffer.from([1, type, 0, 0]));
      expect(await connection.nextError()).toMatchObject({
        code: 'MALFORMED_REQUEST',
        message: expect.stringContaining(`type ${type}`),
      });
      await connection.untilClosed();
    },
  );

  test.each([
    ['ActivationReply', FrameType.activationReply, new Uint8Array()],
    ['MakRequest', FrameType.makRequest, new Uint8Array()],
    ['MakReply', FrameType.makReply, new Uint8Array()],
    ['ErrorReply', FrameType.errorReply, encodeErrorReply({ code: 'UNAVAILABLE', message: 'No.', remedy: 'Wait.' })],
    ['Pong', FrameType.pong, encodePong(new Uint8Array(8))],
  ] as const)('of the type %s, which no client may send, is answered MALFORMED_REQUEST', async (_, type, payload) => {
    const connection = await site.connectRaw();
    await connection.send(type, payload);
    expect(await connection.nextError()).toMatchObject({
      code: 'MALFORMED_REQUEST',
      message: expect.stringContaining(`type ${type}`),
      remedy: expect.stringMatching(/./),
    });
    connection.end();
    await connection.untilClosed();
  });
});

describe('a request', () => {
  const none = new Uint8Array();
  const broken = [
    { what: 'a nonce of 31 bytes', field: 'nonce', change: { nonce: new Uint8Array(31) } },
    { what: 'a nonce of 33 bytes', field: 'nonce', change: { nonce: new Uint8Array(33) } },
    { what: 'no nonce', field: 'nonce', change: { nonce: none } },
    { what: 'an application in capitals', field: 'application', change: { application: 'WINDOWS' } },
    { what: 'an edition of 65 letters', field: 'edition', change: { edition: 'e'.repeat(65) } },
    { what: 'no edition', field: 'edition', change: { edition: '' } },
    { what: 'a nil CMID', field: 'cmid', change: { cmid: '00000000-0000-0000-0000-000000000000' } },
    { what: 'a line feed in the name', field: 'machine_name', change: { machineName: 'PC\nGRANTED' } },
    { what: 'a name of 256 bytes', field: 'machine_name', change: { machineName: 'n'.repeat(256) } },
    { what: 'a fingerprint of 20 bytes', field: 'fingerprint', change: { fingerprint: new Uint8Array(20) } },
    { what: 'a version of 65 bytes', field: 'client_version', change: { clientVersion: 'v'.repeat(65) } },
    { what: 'a time before 1970', field: 'client_time_unix_ms', change: { clientTimeMs: -1 } },
  ];

  test.each(broken)(
    'with $what is answered MALFORMED_REQUEST that names $field; the next one is served',
    async (row) => {
      const connection = await site.connectRaw();
      const request = goodRequest();
      await connection.write(frameOf({ ...request, ...row.change }));
      const error = await connection.nextError();
      expect(error).toMatchObject({
        code: 'MALFORMED_REQUEST',
        message: expect.stringMatching(new RegExp(`^${row.field} `)),
      });
      expect(error.nonce).toEqual(row.field === 'nonce' ? undefined : Buffer.from(request.nonce));
      await connection.write(frameOf(request));
      expect((await connection.nextReply()).signedBody.length).toBeGreaterThan(0);
      connection.end();
      await connection.untilClosed();
    },
  );

  test.each([
    ['is empty', Buffer.alloc(0)],
    ['is no protobuf', Buffer.from('ffffffffffffffffffff', 'hex')],
    ['ends within a field', Buffer.from('0a20aabb', 'hex')],
  ])('whose payload %s is answered MALFORMED_REQUEST; the next one is served', async (_, payload) => {
    const connection = await site.connectRaw();
    await connection.send(FrameType.activationRequest, payload);
    expect(await connection.nextError()).toMatchObject({ code: 'MALFORMED_REQUEST' });
    await connection.write(frameOf(goodRequest()));
    await connection.nextReply();
    connection.end();
    await connection.untilClosed();
  });

  test.each([
    ['an edition that nobody knows', { edition: 'windows-98' }],
    ['an application that nobody knows', { application: 'office' }],
    ['an edition of another application', { application: 'acme-suite', edition: 'acme-designer' }],
  ])('for %s gets the signed answer PRODUCT_NOT_COVERED and is not counted', async (_, properties) => {
    const before = await site.count();
    const answer = await site.ask(newMachine(properties));
    expect(answer).toMatchObject({ code: 'PRODUCT_NOT_COVERED', threshold: 0, expiresAtMs: 0, ...properties });
    expect(await site.count()).toEqual(before);
  });

  test.each([
    ['5 hours behind', -5 * hourMs],
    ['5 hours ahead', 5 * hourMs],
    ['a millisecond more than 4 hours behind', -4 * hourMs - 1],
    ['a millisecond more than 4 hours ahead', 4 * hourMs + 1],
  ])('by a clock %s gets the signed answer CLOCK_SKEW and is not counted', async (_, offMs) => {
    const before = await site.count();
    const answer = await site.ask(newMachine(), { nowMs: () => site.clock.nowMs() + offMs });
    expect(answer).toMatchObject({ code: 'CLOCK_SKEW', expiresAtMs: 0 });
    expect(await site.count()).toEqual(before);
  });

  test.each([
    ['behind', -4 * hourMs],
    ['ahead', 4 * hourMs],
  ])('by a clock exactly 4 hours %s is counted', async (_, offMs) => {
    const before = await site.count();
    const answer = await site.ask(newMachine(), { nowMs: () => site.clock.nowMs() + offMs });
    expect(answer.code).toMatch(/^(GRANTED|COUNT_INSUFFICIENT)$/);
    expect((await site.count()).machinesCounted).toBe(before.machinesCounted + 1);
  });

  test('with garbage behind it is answered, then the garbage is, then the connection is closed', async () => {
    const connection = await site.connectRaw();
    await connection.write(Buffer.concat([frameOf(goodRequest()), Buffer.alloc(50, 0xff)]));
    expect((await connection.nextReply()).signedBody.length).toBeGreaterThan(0);
    expect(await connection.nextError()).toMatchObject({ code: 'UNSUPPORTED_VERSION' });
    await connection.untilClosed();
    expect(connection.frames).toHaveLength(2);
  });

  test('is answered when the client ends its side right behind it', async () => {
    const connection = await site.connectRaw();
    await connection.write(frameOf(goodRequest()));
    connection.end();
    await connection.nextReply();
    await connection.untilClosed();
    expect(connection.failure).toBeUndefined();
  });

  test('is answered in whatever pieces it arrives', async () => {
    const connection = await site.connectRaw();
    for (const byte of frameOf(goodRequest())) await connection.write(Buffer.from([byte]));
    await connection.nextReply();
    connection.end();
    await connection.untilClosed();
  });
});

describe('a connection', () => {
  test('answers a ping by a pong with the same payload', async () => {
    const connection = await site.connectRaw();
    for (const text of ['', 'are you there?', 'x'.repeat(64)]) {
      const payload = new TextEncoder().encode(text);
      await connection.send(FrameType.ping, encodePing(payload));
      const pong = await connection.nextFrame();
      expect(pong.type).toBe(FrameType.pong);
      const parsed = parsePong(pong.payload);
      expect(parsed.ok && new TextDecoder().decode(parsed.payload)).toBe(text);
    }
    connection.end();
    await connection.untilClosed();
  });

  test('refuses a ping of 65 bytes and goes on', async () => {
    const connection = await site.connectRaw();
    await connection.send(FrameType.ping, Buffer.concat([Buffer.from([0x0a, 65]), Buffer.alloc(65)]));
    expect(await connection.nextError()).toMatchObject({
      code: 'MALFORMED_REQUEST',
      message: expect.stringContaining('payload'),
    });
    await connection.send(FrameType.ping, encodePing(Buffer.from('again')));
    expect((await connection.nextFrame()).type).toBe(FrameType.pong);
    connection.end();
    await connection.untilClosed();
  });

  test('answers 200 requests that were sent without waiting', async () => {
    const connection = await site.connect();
    const machines = range(1, 200).map(() => newMachine());
    const answers = await Promise.all(machines.map((machine) => connection.activate(machine)));
    expect(answers.map(({ cmid }) => cmid)).toEqual(machines.map(({ cmid }) => cmid));
    expect(answers.every(({ code }) => code === 'GRANTED' || code === 'COUNT_INSUFFICIENT')).toBe(true);
    connection.close();
  });

  test('answers 200 requests of one write, then ends when the client has ended its side', async () => {
    const connection = await site.connectRaw();
    await connection.write(Buffer.concat(range(1, 200).map(() => frameOf(goodRequest()))));
    connection.end();
    await connection.untilClosed();
    expect(connection.frames.map(({ type }) => type)).toEqual(Array(200).fill(FrameType.activationReply));
    expect(connection.failure).toBeUndefined();
  });
});
