import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomFrom } from '../testing/fixtures.ts';
import {
  classifyFirstBytes,
  encodeFrame,
  type Frame,
  type FrameProblem,
  FrameReader,
  FrameType,
  foreignProtocols,
} from './index.ts';

const types = Object.values(FrameType);
const maximum = 4096;

function join(parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Reads a stream given in chunks; every frame and every problem, in order. */
function read(chunks: readonly Uint8Array[], maximumPayloadBytes = maximum): readonly (Frame | FrameProblem)[] {
  const reader = new FrameReader(maximumPayloadBytes);
  return chunks.flatMap<Frame | FrameProblem>((chunk) => {
    const { frames, problem } = reader.push(chunk);
    return problem === undefined ? frames : [...frames, problem];
  });
}

function plain(outcomes: readonly (Frame | FrameProblem)[]): readonly unknown[] {
  return outcomes.map((outcome) =>
    'payload' in outcome ? [outcome.type, Buffer.from(outcome.payload).toString('hex')] : outcome,
  );
}

const random = randomFrom(1688);
const twentyFrames: readonly Frame[] = Array.from({ length: 20 }, (_, index) => ({
  type: types[index % types.length] ?? FrameType.ping,
  payload: Uint8Array.from({ length: index % 4 === 0 ? 0 : random(120) }, () => random(256)),
}));
const twentyFrameStream = join(twentyFrames.map(({ type, payload }) => encodeFrame(type, payload)));

describe('frames', { timeout: 300_000 }, () => {
  test('are version, type, length in network order and payload', () => {
    expect([...encodeFrame(FrameType.ping, Uint8Array.of(9, 8))]).toEqual([1, 6, 0, 2, 9, 8]);
    expect([...encodeFrame(FrameType.activationReply, new Uint8Array(0x1234)).subarray(0, 4)]).toEqual([
      1, 2, 0x12, 0x34,
    ]);
    expect(() => encodeFrame(FrameType.ping, new Uint8Array(65_536))).toThrow(RangeError);
  });

  test('are the same at every single split of a stream of twenty', () => {
    const expected = plain(twentyFrames);
    for (let at = 0; at <= twentyFrameStream.length; at += 1) {
      expect(plain(read([twentyFrameStream.subarray(0, at), twentyFrameStream.subarray(at)]))).toEqual(expected);
    }
  });

  test('are the same byte by byte, and in one packet of a thousand', () => {
    const bytes = [...twentyFrameStream].map((byte) => Uint8Array.of(byte));
    expect(plain(read(bytes))).toEqual(plain(twentyFrames));
    const pings = join(Array.from({ length: 1000 }, () => encodeFrame(FrameType.ping, Uint8Array.of(7))));
    expect(read([pings])).toHaveLength(1000);
  });

  test('are the same at any splits of any stream, valid or broken', () => {
    const frame = fc
      .tuple(fc.constantFrom(...types), fc.uint8Array({ maxLength: 60 }))
      .map(([type, payload]) => encodeFrame(type, payload));
    const stream = fc
      .tuple(fc.array(frame, { maxLength: 8 }), fc.uint8Array({ maxLength: 12 }))
      .map(([frames, rest]) => join([...frames, rest]));
    fc.assert(
      fc.property(stream, fc.array(fc.nat(400), { maxLength: 10 }), (bytes, cuts) => {
        const edges = [0, ...cuts.map((cut) => Math.min(cut, bytes.length)).toSorted((a, b) => a - b), bytes.length];
        const chunks = edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge));
        expect(plain(read(chunks))).toEqual(plain(read([bytes])));
      }),
      { numRuns: 2000 },
    );
  });

  test('within one chunk are views of it, and across chunks are copies', () => {
    const bytes = encodeFrame(FrameType.ping, Uint8Array.of(1, 2, 3));
    const [whole] = new FrameReader(maximum).push(bytes).frames;
    expect(whole?.payload.buffer).toBe(bytes.buffer);
    const reader = new FrameReader(maximum);
    reader.push(bytes.subarray(0, 5));
    const [pieced] = reader.push(bytes.subarray(5)).frames;
    expect(pieced?.payload.buffer).not.toBe(bytes.buffer);
    expect(pieced?.payload.buffer.byteLength).toBe(3);
  });
});

describe('a frame reader', () => {
  test('knows whether a frame has begun', () => {
    const reader = new FrameReader(maximum);
    const bytes = encodeFrame(FrameType.ping, Uint8Array.of(1, 2));
    const partial = [...bytes].map((byte) => {
      reader.push(Uint8Array.of(byte));
      return reader.hasPartialFrame;
    });
    expect(partial).toEqual([true, true, true, true, true, false]);
    reader.push(join([bytes, bytes, bytes.subarray(0, 1)]));
    expect(reader.hasPartialFrame).toBe(true);
    expect(new FrameReader(maximum).push(new Uint8Array()).frames).toEqual([]);
  });

  test.each([0, 1, 4095, 4096])('takes a payload of %i bytes', (length) => {
    expect(plain(read([encodeFrame(FrameType.activationRequest, new Uint8Array(length))]))).toEqual([
      [1, '00'.repeat(length)],
    ]);
  });

  test.each([4097, 65_535])('refuses a payload of %i bytes by its header alone', (length) => {
    const header = encodeFrame(FrameType.activationRequest, new Uint8Array(length)).subarray(0, 4);
    expect(read([header])).toEqual([{ kind: 'payload-too-large', length, maximum: 4096 }]);
  });

  test.each([0, 8, 255])('refuses frame type %i by its second byte', (type) => {
    expect(read([Uint8Array.of(1, type)])).toEqual([{ kind: 'unknown-type', type }]);
  });

  test('gives the frames before a problem, the problem once, and nothing afterwards', () => {
    const ping = encodeFrame(FrameType.ping, new Uint8Array());
    const reader = new FrameReader(maximum);
    const first = reader.push(join([ping, ping, Uint8Array.of(1, 99), ping]));
    expect(first.frames).toHaveLength(2);
    expect(first.problem).toEqual({ kind: 'unknown-type', type: 99 });
    expect(reader.push(ping)).toEqual({ frames: [] });
    expect(reader.hasPartialFrame).toBe(false);
  });

  test('names every other version or protocol by the first byte', () => {
    const named: Readonly<Record<number, string>> = {
      0: 'smb',
      5: 'dce-rpc',
      13: 'proxy-protocol',
      22: 'tls',
      83: 'ssh',
    };
    for (let byte = 0; byte < 256; byte += 1) {
      if (byte === 1) continue;
      const http = 'GPHDOCT'.includes(String.fromCharCode(byte)) ? 'http' : undefined;
      const protocol = http ?? named[byte] ?? 'unknown';
      const later = byte >= 2 && byte <= 4;
      expect(read([Uint8Array.of(byte, 1, 2, 3)])).toEqual([
        later ? { kind: 'unsupported-version', version: byte } : { kind: 'foreign-protocol', protocol },
      ]);
      expect(foreignProtocols).toContain(classifyFirstBytes(Uint8Array.of(byte, 1, 2)));
    }
  });

  test.each([
    ['PRI * HTTP/2.0\r\n', 3, 'http'],
    ['PUT / HTTP/1.1\r\n', 2, 'http'],
    ['POST / HTTP/1.1\r\n', 2, 'http'],
    ['PATCH / HTTP/1.1\r\n', 2, 'http'],
    ['PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n', 3, 'proxy-protocol'],
  ])('tells what begins with P apart, however it is split: %j', (text, needed, protocol) => {
    const bytes = Buffer.from(text);
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(read([bytes.subarray(0, at), bytes.subarray(at)])).toEqual([{ kind: 'foreign-protocol', protocol }]);
    }
    const reader = new FrameReader(maximum);
    expect(reader.push(bytes.subarray(0, needed - 1))).toEqual({ frames: [] });
    // The time of a frame runs while it cannot be told.
    expect(reader.hasPartialFrame).toBe(true);
  });

  test('takes one frame of a chunk after the other, and says where it stopped', () => {
    const pings = [1, 2, 3].map((byte) => encodeFrame(FrameType.ping, Uint8Array.of(byte)));
    const chunk = join([...pings, Uint8Array.of(1, 6)]);
    const reader = new FrameReader(maximum);
    const steps: unknown[] = [];
    for (let from = 0; from < chunk.length; ) {
      const { end, frame } = reader.read(chunk, from);
      steps.push([end, frame?.payload[0]]);
      from = end;
    }
    expect(steps).toEqual([
      [5, 1],
      [10, 2],
      [15, 3],
      [17, undefined],
    ]);
    expect(reader.hasPartialFrame).toBe(true);
  });

  test('takes any other first byte of a later frame for a version', () => {
    const ping = encodeFrame(FrameType.ping, new Uint8Array());
    for (const version of [0, 2, 5, 22, 71, 255]) {
      expect(plain(read([ping, Uint8Array.of(version)]))).toEqual([[6, ''], { kind: 'unsupported-version', version }]);
    }
  });

  test('survives any chunks', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 10 }), fc.nat(70_000), (chunks, limit) => {
        const problems = read(chunks, limit).filter((outcome) => 'kind' in outcome);
        expect(problems.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 2000 },
    );
  });
});
