import { ActivationReply, ActivationRequest, ActivationResult, ErrorReply } from '@muster/contracts/activation';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { granted, noonMs, randomFrom, refused, replyWith, request, uuidBytesOf } from '../testing/fixtures.ts';
import {
  encodeActivationReply,
  encodeActivationRequest,
  encodeActivationResult,
  encodeErrorReply,
  encodePing,
  encodePong,
  formatUuid,
  licenceStatusName,
  licenceStatusNumber,
  machineClassName,
  machineClassNumber,
  maximumReplyPayloadBytes,
  maximumRequestPayloadBytes,
  parseActivationReply,
  parseActivationRequest,
  parseActivationResult,
  parseErrorReply,
  parsePing,
  parsePong,
  resultCodeName,
  resultCodeNumber,
} from './index.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const uuid = bytes(16).map(formatUuid);
const presentUuid = uuid.filter((text) => /[1-9a-f]/.test(text));
const identifier = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,63}$/);
const uint32 = fc.nat(0xffff_ffff);
const timeMs = fc.nat(253_402_300_799_999);
const printable = (maximum: number) =>
  fc
    .string({ unit: 'grapheme' })
    .filter((text) => Buffer.byteLength(text) <= maximum && !/[\p{Cc}\u2028-\u202e\u2066-\u2069]/u.test(text));
const results = ['GRANTED', 'COUNT_INSUFFICIENT', 'PRODUCT_NOT_COVERED', 'HOST_NOT_ACTIVATED', 'CLOCK_SKEW'] as const;

const anyRequest = fc.record(
  {
    nonce: bytes(32),
    application: identifier,
    edition: identifier,
    cmid: presentUuid,
    previousCmid: uuid,
    machineClass: fc.constantFrom('physical', 'virtual', 'container'),
    machineName: printable(255).filter((text) => text !== ''),
    fingerprint: bytes(32),
    licenceStatus: fc.constantFrom('unlicensed', 'initial-grace', 'licensed', 'out-of-tolerance-grace', 'notification'),
    minutesLeft: uint32,
    clientTimeMs: timeMs,
    clientVersion: printable(64),
  },
  {
    requiredKeys: [
      ...(['nonce', 'application', 'edition', 'cmid', 'machineClass'] as const),
      ...(['licenceStatus', 'minutesLeft', 'clientTimeMs', 'clientVersion'] as const),
    ],
  },
);

const anyResult = fc.record({
  code: fc.constantFrom(...results),
  nonce: bytes(32),
  application: identifier,
  edition: identifier,
  cmid: uuid,
  count: uint32,
  threshold: uint32,
  activationIntervalMinutes: uint32,
  renewalIntervalMinutes: uint32,
  validityMinutes: uint32,
  issuedAtMs: timeMs,
  expiresAtMs: timeMs,
  hostId: uuid,
  activationId: uuid,
  graceMinutes: uint32,
});

const anyJws = fc
  .tuple(fc.uint8Array(), fc.uint8Array(), fc.uint8Array())
  .map((members) => members.map((member) => Buffer.from(member).toString('base64url')).join('.'));

const anyReply = fc.record(
  {
    signedBody: fc.uint8Array({ minLength: 1, maxLength: 400 }),
    proof: fc.record({ signature: bytes(64), leafIndex: uint32, path: fc.array(bytes(32), { maxLength: 8 }) }),
    gatewayCredential: anyJws,
    hostCertificate: anyJws,
  },
  { requiredKeys: ['signedBody', 'proof'] },
);

const anyError = fc.record(
  {
    code: fc.constantFrom('RATE_LIMITED', 'UNAVAILABLE', 'MALFORMED_REQUEST'),
    message: printable(1024),
    remedy: printable(1024),
    nonce: bytes(32),
    retryAfterMs: uint32.filter((ms) => ms > 0),
  },
  { requiredKeys: ['code', 'message', 'remedy'] },
);

/** The fixture's request as the generated type, to be broken in one place. */
const wireRequest = ActivationRequest.decode(encodeActivationRequest(request));
const wireResult = ActivationResult.decode(encodeActivationResult(granted));

function refusedField(change: Partial<ActivationRequest>): string | undefined {
  const parsed = parseActivationRequest(ActivationRequest.encode({ ...wireRequest, ...change }).finish());
  if (parsed.ok) return 'accepted';
  expect(parsed.problem.message).toMatch(/^.+\.$/);
  expect(parsed.problem.remedy).toMatch(/^.+\.$/);
  return parsed.problem.field;
}

describe('messages survive encoding', () => {
  test('any request', () => {
    fc.assert(
      fc.property(anyRequest, (value) => {
        expect(parseActivationRequest(encodeActivationRequest(value))).toEqual({ ok: true, request: value });
      }),
    );
  });

  test('any result', () => {
    fc.assert(
      fc.property(anyResult, (value) => {
        expect(parseActivationResult(encodeActivationResult(value))).toEqual({ ok: true, result: value });
      }),
    );
  });

  test('any reply', () => {
    fc.assert(
      fc.property(anyReply, (value) => {
        expect(parseActivationReply(encodeActivationReply(value))).toEqual({ ok: true, reply: value });
      }),
    );
  });

  test('any error reply, made printable and cut', () => {
    fc.assert(
      fc.property(anyError, (value) => {
        expect(parseErrorReply(encodeErrorReply(value))).toEqual({ ok: true, error: value });
      }),
    );
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 1500 }), (text) => {
        const sent = { code: 'UNAVAILABLE', message: text, remedy: text.repeat(2) } as const;
        expect(parseErrorReply(encodeErrorReply(sent)).ok).toBe(true);
      }),
    );
    const long = parseErrorReply(
      encodeErrorReply({ code: 'UNAVAILABLE', message: '\u20ac'.repeat(500), remedy: 'x\u001b[2J' }),
    );
    expect(long).toMatchObject({ ok: true, error: { message: '\u20ac'.repeat(341), remedy: 'x [2J' } });
  });

  test('any ping of up to 64 bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (payload) => {
        expect(parsePing(encodePing(payload))).toEqual({ ok: true, payload });
        expect(parsePong(encodePong(payload))).toEqual({ ok: true, payload });
      }),
    );
    expect(() => encodePing(new Uint8Array(65))).toThrow(RangeError);
    expect(() => encodePong(new Uint8Array(65))).toThrow(RangeError);
    expect(parsePing(Uint8Array.of(10, 65, ...new Uint8Array(65)))).toMatchObject({ ok: false });
  });
});

describe('a request is refused', () => {
  const zero = new Uint8Array(16);
  test.each<[string, string, Partial<ActivationRequest>]>([
    ['without a nonce', 'nonce', { nonce: new Uint8Array() }],
    ['with a nonce of 31 bytes', 'nonce', { nonce: new Uint8Array(31) }],
    ['with a nonce of 33 bytes', 'nonce', { nonce: new Uint8Array(33) }],
    ['without an application', 'application', { application: '' }],
    ['with capitals in the application', 'application', { application: 'Windows' }],
    ['with an application that begins with a hyphen', 'application', { application: '-windows' }],
    ['with a line break behind the application', 'application', { application: 'windows\n' }],
    ['with an application of 65 characters', 'application', { application: 'w'.repeat(65) }],
    ['without an edition', 'edition', { edition: '' }],
    ['with a dot in the edition', 'edition', { edition: 'vista.business' }],
    ['with letters that look Latin', 'edition', { edition: 'v\u0456sta' }],
    ['without a CMID', 'cmid', { cmid: new Uint8Array() }],
    ['with a CMID of 15 bytes', 'cmid', { cmid: new Uint8Array(15).fill(1) }],
    ['with a CMID of zeroes', 'cmid', { cmid: zero }],
    ['with a previous CMID of 17 bytes', 'previous_cmid', { previousCmid: new Uint8Array(17) }],
    ['without a machine class', 'machine_class', { machineClass: 0 }],
    ['with an unknown machine class', 'machine_class', { machineClass: 4 as 3 }],
    ['with a negative machine class', 'machine_class', { machineClass: -1 as 3 }],
    ['with a machine name of 256 bytes', 'machine_name', { machineName: 'n'.repeat(256) }],
    ['with a machine name of 258 bytes in 86 characters', 'machine_name', { machineName: '\u20ac'.repeat(86) }],
    ['with a line break in the machine name', 'machine_name', { machineName: 'a\nb' }],
    ['with a C1 control in the machine name', 'machine_name', { machineName: 'a\u009bb' }],
    ['with a turned machine name', 'machine_name', { machineName: 'a\u202eb' }],
    ['with a fingerprint of 31 bytes', 'fingerprint', { fingerprint: new Uint8Array(31) }],
    ['without a licence status', 'licence_status', { licenceStatus: 0 }],
    ['with an unknown licence status', 'licence_status', { licenceStatus: 6 as 5 }],
    ['with a time before 1970', 'client_time_unix_ms', { clientTimeUnixMs: -1 }],
    ['with a time after the year 9999', 'client_time_unix_ms', { clientTimeUnixMs: 253_402_300_800_000 }],
    ['with a client version of 65 bytes', 'client_version', { clientVersion: 'v'.repeat(65) }],
    ['with an escape in the client version', 'client_version', { clientVersion: '\u001b[31m' }],
  ])('%s', (_, field, change) => {
    expect(refusedField(change)).toBe(field);
  });

  test('at the edges it is taken', () => {
    expect(refusedField({ machineName: '\u20ac'.repeat(85), clientVersion: 'v'.repeat(64) })).toBe('accepted');
    expect(refusedField({ clientTimeUnixMs: 253_402_300_799_999, minutesLeft: 0xffff_ffff })).toBe('accepted');
    expect(refusedField({ application: 'w'.repeat(64), edition: '7-zip' })).toBe('accepted');
    expect(refusedField({ previousCmid: zero, clientTimeUnixMs: 0 })).toBe('accepted');
  });

  const valid = encodeActivationRequest(request);
  test.each<[string, readonly number[]]>([
    ['with a time beyond 2^53', [0x58, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['with a time of minus 2^63', [0x58, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01]],
    ['with a varint of eleven bytes', [0x50, ...new Array(10).fill(0xff), 0x01]],
    ['with text that is not UTF-8', [0x3a, 0x02, 0xc3, 0x28]],
    ['with a field that ends behind the message', [0x3a, 0x7f, 0x41]],
    ['with a tag of zero and bytes behind it', [0x00, 0x01, 0x02]],
    ['with the end of a group', [0x7c, 0x01]],
    ['with bytes cut off behind a tag', [0x7a]],
    ['with groups nested too deep', new Array(300).fill(0x7b)],
    ['with an open varint', [0x50, 0x80]],
  ])('%s, and its nonce is found', (_, extra) => {
    const parsed = parseActivationRequest(Uint8Array.of(...valid, ...extra));
    expect(parsed).toMatchObject({ ok: false, nonce: request.nonce });
  });

  test('beyond 4,096 bytes', () => {
    const padded = new Uint8Array(4097);
    padded.set(valid);
    expect(parseActivationRequest(padded)).toMatchObject({ ok: false, nonce: request.nonce });
  });

  test('without its nonce when that cannot be read', () => {
    for (const payload of [[], [0x0a], [0x0a, 0x20, 1, 2], [0xff, 0xff], [0x0a, 0x01, 0x00]]) {
      const parsed = parseActivationRequest(Uint8Array.from(payload));
      expect(parsed.ok).toBe(false);
      expect(parsed).not.toHaveProperty('nonce');
    }
  });
});

describe('unknown fields', () => {
  // Field 100 as varint, fixed64, bytes, group and fixed32.
  const later = [
    ...[0xa0, 0x06, 0x05],
    ...[0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8],
    ...[0xa2, 0x06, 0x02, 9, 9],
    ...[0xa3, 0x06, 0xa4, 0x06],
    ...[0xa5, 0x06, 1, 2, 3, 4],
  ];

  test('are ignored in requests, results and replies', () => {
    const extended = (message: Uint8Array) => Uint8Array.of(...later, ...message, ...later);
    expect(parseActivationRequest(extended(encodeActivationRequest(request)))).toEqual({ ok: true, request });
    expect(parseActivationResult(extended(encodeActivationResult(granted)))).toEqual({ ok: true, result: granted });
    const reply = replyWith(granted);
    expect(parseActivationReply(extended(encodeActivationReply(reply))).ok).toBe(true);
  });
});

describe('a result or reply is refused', () => {
  test.each<[string, string, Partial<ActivationResult>]>([
    ['without a code', 'code', { code: 0 }],
    ['with a code of a later version', 'code', { code: 10 as 9 }],
    ['with a short nonce', 'nonce', { nonce: new Uint8Array(16) }],
    ['with a strange edition', 'edition', { edition: 'Vista' }],
    ['without a host', 'host_id', { hostId: new Uint8Array() }],
    ['without an activation id', 'activation_id', { activationId: new Uint8Array() }],
    ['issued before 1970', 'issued_at_unix_ms', { issuedAtUnixMs: -1 }],
    ['expiring after the year 9999', 'expires_at_unix_ms', { expiresAtUnixMs: 253_402_300_800_000 }],
  ])('%s', (_, field, change) => {
    const parsed = parseActivationResult(ActivationResult.encode({ ...wireResult, ...change }).finish());
    expect(parsed).toMatchObject({ ok: false, problem: { field } });
  });

  const wireReply = ActivationReply.decode(encodeActivationReply(replyWith(refused)));
  const proof = { signature: new Uint8Array(64), leafIndex: 0, path: [] };
  test.each<[string, string, Partial<ActivationReply>]>([
    ['without a body', 'signed_body', { signedBody: new Uint8Array() }],
    ['without a proof', 'proof', { proof: undefined }],
    ['with a short signature', 'proof.signature', { proof: { ...proof, signature: new Uint8Array(63) } }],
    ['with nine path entries', 'proof.path', { proof: { ...proof, path: new Array(9).fill(new Uint8Array(32)) } }],
    ['with a short path entry', 'proof.path', { proof: { ...proof, path: [new Uint8Array(31)] } }],
  ])('%s', (_, field, change) => {
    const parsed = parseActivationReply(ActivationReply.encode({ ...wireReply, ...change }).finish());
    expect(parsed).toMatchObject({ ok: false, problem: { field } });
  });

  test('whose proof ends in the middle of a path entry', () => {
    // The entry's last two bytes would pass for a field of the reply that nobody knows.
    const path = [Uint8Array.of(...new Uint8Array(30), 0x28, 0x01)];
    const payload = ActivationReply.encode({
      signedBody: Uint8Array.of(1),
      proof: { ...proof, path },
      gatewayCredential: undefined,
      hostCertificate: undefined,
    }).finish();
    expect(parseActivationReply(payload).ok).toBe(true);
    // 3 bytes of signed body, then the proof's tag and its length.
    payload[4] = (payload[4] ?? 0) - 2;
    expect(parseActivationReply(payload).ok).toBe(false);
  });

  test('an error reply with an escape in its text', () => {
    const wire = { code: 9, message: '\u001b[2J', remedy: '', nonce: new Uint8Array(), retryAfterMs: 0 } as const;
    expect(parseErrorReply(ErrorReply.encode(wire).finish())).toMatchObject({
      ok: false,
      problem: { field: 'message' },
    });
  });

  test('ids that are no UUIDs are a mistake of whoever encodes', () => {
    expect(() => encodeActivationRequest({ ...request, cmid: 'x' })).toThrow(RangeError);
    expect(() => encodeActivationResult({ ...granted, hostId: 'x' })).toThrow(RangeError);
    expect(encodeActivationRequest({ ...request, cmid: request.cmid.toUpperCase() })).toEqual(
      encodeActivationRequest(request),
    );
    expect(wireRequest.cmid).toEqual(uuidBytesOf(request.cmid));
  });
});

describe('any bytes', { timeout: 300_000 }, () => {
  const parsers = [
    parseActivationRequest,
    parseActivationResult,
    parseActivationReply,
    parseErrorReply,
    parsePing,
    parsePong,
  ];
  const survives = (payload: Uint8Array) => parsers.every((parse) => typeof parse(payload).ok === 'boolean');

  test('never make a parser throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), survives), { numRuns: 3000 });
    for (const size of [maximumRequestPayloadBytes, maximumReplyPayloadBytes, 100_000]) {
      for (const byte of [0x00, 0x0a, 0x7b, 0x80, 0xff]) expect(survives(new Uint8Array(size).fill(byte))).toBe(true);
    }
  });

  test('mutated from good messages never do either (20,000 mutations)', () => {
    const random = randomFrom(20_261_124);
    const corpus = [
      encodeActivationRequest(request),
      encodeActivationReply(replyWith(granted)),
      encodeActivationResult(refused),
      encodeErrorReply({
        code: 'UNAVAILABLE',
        message: 'Down.',
        remedy: 'Wait.',
        nonce: request.nonce,
        retryAfterMs: noonMs % 9999,
      }),
    ];
    for (let round = 0; round < 20_000; round += 1) {
      const payload = new Uint8Array(corpus[round % corpus.length] ?? []);
      for (let change = random(4); change >= 0; change -= 1) payload[random(payload.length)] = random(256);
      expect(survives(payload.subarray(0, payload.length - random(2) * random(payload.length)))).toBe(true);
    }
  });
});

describe('names and numbers', () => {
  test('of codes, machine classes and licence statuses belong together', () => {
    const names = (nameOf: (number: number) => string | undefined) =>
      Array.from({ length: 12 }, (_, number) => nameOf(number)).flatMap((name) => (name === undefined ? [] : [name]));
    expect(names(resultCodeName)).toEqual([
      ...results,
      ...['UNSUPPORTED_VERSION', 'MALFORMED_REQUEST', 'RATE_LIMITED', 'UNAVAILABLE'],
    ]);
    expect(names(machineClassName)).toEqual(['physical', 'virtual', 'container']);
    expect(names(licenceStatusName)).toHaveLength(5);
    for (let number = 1; number <= 3; number += 1) {
      expect(machineClassNumber(machineClassName(number) ?? 'physical')).toBe(number);
      expect(licenceStatusNumber(licenceStatusName(number) ?? 'unlicensed')).toBe(number);
      expect(resultCodeNumber(resultCodeName(number) ?? 'GRANTED')).toBe(number);
    }
    expect(resultCodeName(0)).toBeUndefined();
    expect(resultCodeName(-1)).toBeUndefined();
  });
});
