import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { crc32c } from './crc32c.ts';
import { maximumProxyHeaderBytes, readProxyHeader } from './proxy-header.ts';

// Every vector is written out by hand from HAProxy's proxy-protocol.txt, section 2.2.
const signature = '0d0a0d0a000d0a515549540a';
const header = (hex: string) => Buffer.from(signature + hex.replaceAll(' ', ''), 'hex');

const headers = [
  { name: 'TCP over IPv4', bytes: header('21 11 000c c0000201 c6336402 c001 0698'), client: '192.0.2.1' },
  {
    name: 'TCP over IPv6',
    bytes: header('21 21 0024 20010db8000000000000000000000001 20010db8000000000000000000000002 c001 0698'),
    client: '2001:db8::1',
  },
  {
    name: 'TCP over IPv6 of an IPv4 client',
    bytes: header('21 21 0024 00000000000000000000ffffc0000201 20010db8000000000000000000000002 c001 0698'),
    client: '192.0.2.1',
  },
  {
    name: 'TCP over IPv4 with a NOOP, an authority and the fields of Amazon and Azure',
    bytes: header('21 11 0024 c0000201 c6336402 c001 0698 04 0002 0000 02 0003 612e62 ea 0005 0176706365 ee 0002 0100'),
    client: '192.0.2.1',
  },
  { name: 'LOCAL, as a health check', bytes: header('20 00 0000'), client: undefined },
  { name: 'LOCAL with an address block', bytes: header('20 11 000c c0000201 c6336402 c001 0698'), client: undefined },
  {
    name: 'LOCAL with a family of no meaning and a block of none',
    bytes: header('20 ff 0003 ffffff'),
    client: undefined,
  },
  { name: 'PROXY for an unknown protocol', bytes: header('21 00 0000'), client: undefined },
  { name: 'PROXY for an unknown protocol with a block', bytes: header('21 00 0005 0102030405'), client: undefined },
  { name: 'UDP over IPv4', bytes: header('21 12 000c c0000201 c6336402 c001 0698'), client: undefined },
  { name: 'a UNIX stream', bytes: header(`21 31 00d8 ${'61'.repeat(216)}`), client: undefined },
];

const malformed = [
  { name: 'HTTP', bytes: Buffer.from('GET / HTTP/1.1\r\n\r\n'), problem: /signature of version 2/, at: 1 },
  { name: 'a request of ours', bytes: Buffer.from([1, 1, 0, 9]), problem: /signature of version 2/, at: 1 },
  {
    name: 'a header of version 1',
    bytes: Buffer.from('PROXY TCP4 192.0.2.1'),
    problem: /version 1 is not supported/,
    at: 1,
  },
  { name: 'a signature with another last byte', bytes: header('').fill(0x0b, 11), problem: /signature/, at: 12 },
  { name: 'version 3', bytes: header('31 11 000c'), problem: /version is 3/, at: 13 },
  { name: 'command 2', bytes: header('22 11 000c'), problem: /command is 2/, at: 13 },
  { name: 'address family 4', bytes: header('21 41 000c'), problem: /address family is 4/, at: 14 },
  { name: 'transport protocol 3', bytes: header('21 13 000c'), problem: /transport protocol is 3/, at: 14 },
  { name: 'too little for IPv4', bytes: header('21 11 000b'), problem: /too short/, at: 16 },
  { name: 'too little for IPv6', bytes: header('21 21 000c'), problem: /too short/, at: 16 },
  { name: '537 bytes', bytes: header('21 11 0209'), problem: /537 bytes/, at: 16 },
  { name: '65,551 bytes of LOCAL', bytes: header('20 00 ffff'), problem: /65551 bytes/, at: 16 },
  {
    name: 'a field that is cut off',
    bytes: header('21 11 000e c0000201 c6336402 c001 0698 04 00'),
    problem: /cut off/,
    at: 30,
  },
  {
    name: 'a field longer than the rest',
    bytes: header('21 11 0010 c0000201 c6336402 c001 0698 04 0002 00'),
    problem: /longer than the rest/,
    at: 32,
  },
  {
    name: 'a checksum of 3 bytes',
    bytes: header('21 11 0012 c0000201 c6336402 c001 0698 03 0003 000000'),
    problem: /not one of 4 bytes/,
    at: 34,
  },
];

/** A TCP header over IPv4 with a checksum of the given value. */
function withChecksum(checksum: number): Buffer {
  const bytes = header('21 11 0013 c0000201 c6336402 c001 0698 03 0004 00000000');
  bytes.writeUInt32BE(checksum, bytes.length - 4);
  return bytes;
}

/** CRC32C bit by bit, by the definition and without a table. */
function slowCrc32c(bytes: Uint8Array): number {
  let remainder = 0xffffffff;
  for (const byte of bytes) {
    remainder ^= byte;
    for (let bit = 0; bit < 8; bit += 1) remainder = (remainder >>> 1) ^ (remainder & 1 ? 0x82f63b78 : 0);
  }
  return ~remainder >>> 0;
}

test.each(headers)('$name is a header', ({ bytes, client }) => {
  const read = readProxyHeader(bytes);
  expect(read).toEqual({ kind: 'header', bytes: bytes.length, ...(client === undefined ? {} : { client }) });
});

test.each(headers)('$name is complete with its last byte and not before, whatever follows it', ({ bytes }) => {
  const whole = readProxyHeader(bytes);
  for (let length = 0; length < bytes.length; length += 1) {
    expect(readProxyHeader(bytes.subarray(0, length))).toEqual({ kind: 'incomplete' });
  }
  expect(readProxyHeader(Buffer.concat([bytes, Buffer.from([1, 1, 0, 0])]))).toEqual(whole);
  expect(readProxyHeader(Buffer.concat([bytes, bytes]))).toEqual(whole);
});

test.each(malformed)('$name is malformed as soon as that can be seen', ({ bytes, problem, at }) => {
  for (let length = 0; length < at; length += 1) {
    expect(readProxyHeader(bytes.subarray(0, length))).toEqual({ kind: 'incomplete' });
  }
  for (let length = at; length <= bytes.length; length += 1) {
    expect(readProxyHeader(bytes.subarray(0, length))).toEqual({
      kind: 'malformed',
      problem: expect.stringMatching(problem),
    });
  }
});

test('a header of 536 bytes is taken', () => {
  const value = maximumProxyHeaderBytes - 16 - 12 - 3;
  const bytes = header(
    `21 11 0208 c0000201 c6336402 c001 0698 04 ${value.toString(16).padStart(4, '0')} ${'00'.repeat(value)}`,
  );
  expect(bytes.length).toBe(536);
  expect(readProxyHeader(bytes)).toEqual({ kind: 'header', bytes: 536, client: '192.0.2.1' });
});

describe('a checksum', () => {
  test('is that of RFC 3720, appendix B.4', () => {
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(Uint8Array.from({ length: 32 }, (_, index) => index))).toBe(0x46dd794e);
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
  });

  test('is taken when it is right over the whole header, and refused with any bit of the header changed', () => {
    const right = slowCrc32c(withChecksum(0));
    const bytes = withChecksum(right);
    expect(readProxyHeader(bytes)).toEqual({ kind: 'header', bytes: bytes.length, client: '192.0.2.1' });
    for (let bit = 16 * 8; bit < bytes.length * 8; bit += 1) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      const read = readProxyHeader(changed);
      // A field of another type says nothing of a checksum.
      const typeChanged = bit >> 3 === bytes.length - 7;
      expect([bit, read.kind]).toEqual([bit, typeChanged ? 'header' : 'malformed']);
    }
  });

  test('may stand there once', () => {
    const bytes = header('21 11 001a c0000201 c6336402 c001 0698 03 0004 00000000 03 0004 00000000');
    expect(readProxyHeader(bytes)).toMatchObject({ kind: 'malformed', problem: expect.stringMatching(/checksum/) });
  });
});

describe('bytes of any kind', () => {
  const anyHeader = fc.constantFrom(...headers.map(({ bytes }) => bytes), withChecksum(slowCrc32c(withChecksum(0))));
  const mutated = fc
    .tuple(anyHeader, fc.array(fc.tuple(fc.nat(300), fc.nat(255)), { maxLength: 4 }), fc.uint8Array({ maxLength: 600 }))
    .map(([bytes, changes, tail]) => {
      const all = Buffer.concat([bytes, tail]);
      for (const [position, value] of changes) all[position % all.length] = value;
      return all;
    });

  test('are judged once and for all: a verdict on a beginning is the verdict on the whole', () => {
    const property = fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 600 })), (bytes) => {
      const whole = readProxyHeader(bytes);
      if (whole.kind === 'header') expect(whole.bytes).toBeLessThanOrEqual(maximumProxyHeaderBytes);
      if (whole.kind === 'incomplete') expect(bytes.length).toBeLessThan(maximumProxyHeaderBytes);
      let decided = false;
      for (let length = 0; length <= bytes.length; length += 1) {
        const read = readProxyHeader(bytes.subarray(0, length));
        decided ||= read.kind !== 'incomplete';
        if (decided) expect(read).toEqual(whole);
      }
      expect(decided).toBe(whole.kind !== 'incomplete');
    });
    fc.assert(property, { numRuns: 300 });
  });

  test('name a client only with the address that stands in them', () => {
    const property = fc.property(mutated, (bytes) => {
      const read = readProxyHeader(bytes);
      if (read.kind !== 'header' || read.client === undefined) return;
      const family = bytes[13];
      expect([0x11, 0x21]).toContain(family);
      if (family === 0x11) expect(read.client).toBe([...bytes.subarray(16, 20)].join('.'));
    });
    fc.assert(property, { numRuns: 5_000 });
  });
});
