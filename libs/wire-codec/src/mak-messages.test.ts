import { MakReply as WireReply, MakRequest as WireRequest } from '@muster/contracts/activation';
import { verifyMakConfirmation } from '@muster/trust';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomFrom, trusted } from '../testing/fixtures.ts';
import { makConfirmation, makRequest } from '../testing/vectors-of-mak.ts';
import {
  encodeMakReply,
  encodeMakRequest,
  maximumReplyPayloadBytes,
  maximumRequestPayloadBytes,
  parseActivationResult,
  parseErrorReply,
  parseMakReply,
  parseMakRequest,
  verifyConfirmationFor,
} from './index.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const identifier = fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,63}$/);
const printable = (maximum: number) =>
  fc
    .string({ unit: 'grapheme' })
    .filter((text) => Buffer.byteLength(text) <= maximum && !/[\p{Cc}\u2028-\u202e\u2066-\u2069]/u.test(text));

const anyRequest = fc.record({
  nonce: bytes(32),
  productKey: fc.stringMatching(/^[0-9A-HJKMNP-TV-Z]{25}$/),
  application: identifier,
  edition: identifier,
  installationId: bytes(32),
  clientVersion: printable(64),
});

const anyJws = fc
  .tuple(fc.uint8Array(), fc.uint8Array(), fc.uint8Array())
  .map((members) => members.map((member) => Buffer.from(member).toString('base64url')).join('.'));

const refusalCode = fc.constantFrom('MAK_INVALID', 'MAK_EXHAUSTED', 'MAK_WRONG_GROUP', 'KEY_REVOKED', 'KEY_EXPIRED');
const anyReply = fc.oneof(
  fc.record({ nonce: bytes(32), code: fc.constant('GRANTED' as const), confirmation: anyJws }),
  fc.record({ nonce: bytes(32), code: refusalCode, message: printable(1024), remedy: printable(1024) }),
);

describe('MAK messages survive encoding', () => {
  test('any request, within its limit', () => {
    fc.assert(
      fc.property(anyRequest, (request) => {
        const payload = encodeMakRequest(request);
        expect(payload.length).toBeLessThan(maximumRequestPayloadBytes / 4);
        expect(parseMakRequest(payload)).toEqual({ ok: true, request });
      }),
    );
  });

  test('any reply', () => {
    fc.assert(
      fc.property(anyReply, (reply) => {
        expect(parseMakReply(encodeMakReply(reply))).toEqual({ ok: true, reply });
      }),
    );
  });

  test('a refusal with any text, made printable and cut to its limit', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3000 }), (text) => {
        const { nonce } = makRequest;
        const payload = encodeMakReply({ nonce, code: 'MAK_INVALID', message: text, remedy: text });
        expect(payload.length).toBeLessThanOrEqual(maximumReplyPayloadBytes);
        expect(parseMakReply(payload).ok).toBe(true);
      }),
    );
  });
});

describe('MAK messages are refused', () => {
  test('beyond 4,096 and 8,192 bytes, the request with its nonce', () => {
    const request = new Uint8Array(maximumRequestPayloadBytes + 1);
    request.set(encodeMakRequest(makRequest));
    expect(parseMakRequest(request)).toMatchObject({ ok: false, nonce: makRequest.nonce });
    const reply = new Uint8Array(maximumReplyPayloadBytes + 1);
    reply.set(encodeMakReply({ nonce: makRequest.nonce, code: 'GRANTED', confirmation: makConfirmation }));
    expect(parseMakReply(reply).ok).toBe(false);
  });

  test('with a problem that repeats nothing of a product key', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 24 }), fc.constantFrom('u', 'U', '-', '\n', '\u00e9'), (place, wrong) => {
        const { productKey } = makRequest;
        const typed = `${productKey.slice(0, place)}${wrong}${productKey.slice(place + 1)}`;
        const parsed = parseMakRequest(WireRequest.encode({ ...makRequest, productKey: typed }).finish());
        expect(parsed).toMatchObject({ ok: false, problem: { field: 'product_key' } });
        const said = JSON.stringify(parsed.ok ? '' : parsed.problem);
        for (let from = 0; from + 5 <= 25; from += 1) expect(said).not.toContain(productKey.slice(from, from + 5));
      }),
    );
  });

  test('where the codes of a MAK stand in other messages', () => {
    for (let code = 10; code <= 14; code += 1) {
      expect(parseErrorReply(Uint8Array.of(0x08, code))).toMatchObject({ ok: false, problem: { field: 'code' } });
      expect(parseActivationResult(Uint8Array.of(0x08, code))).toMatchObject({ ok: false, problem: { field: 'code' } });
    }
  });

  test('whose confirmation ends in the middle of a member', () => {
    const wire: WireReply = {
      nonce: makRequest.nonce,
      code: 1,
      confirmation: {
        protectedHeader: Uint8Array.of(1),
        payload: Uint8Array.of(2),
        // The last two bytes would pass for a field of the reply that nobody knows.
        signature: Uint8Array.of(...new Uint8Array(62), 0x30, 0x01),
      },
      message: '',
      remedy: '',
    };
    const payload = WireReply.encode(wire).finish();
    expect(parseMakReply(payload).ok).toBe(true);
    // 34 bytes of nonce and 2 of the code, then the tag of the confirmation and its length.
    payload[37] = (payload[37] ?? 0) - 2;
    expect(parseMakReply(payload).ok).toBe(false);
  });
});

describe('any bytes', () => {
  const survives = (payload: Uint8Array) =>
    [parseMakRequest, parseMakReply].every((parse) => typeof parse(payload).ok === 'boolean');

  test('never make a parser throw', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), survives), { numRuns: 2000 });
  });

  test('mutated from good messages never do either (10,000 mutations)', () => {
    const random = randomFrom(20_261_124);
    const { nonce } = makRequest;
    const corpus = [
      encodeMakRequest(makRequest),
      encodeMakReply({ nonce, code: 'GRANTED', confirmation: makConfirmation }),
      encodeMakReply({ nonce, code: 'MAK_EXHAUSTED', message: 'None is left.', remedy: 'Ask for more.' }),
    ];
    for (let round = 0; round < 10_000; round += 1) {
      const payload = new Uint8Array(corpus[round % corpus.length] ?? []);
      for (let change = random(4); change >= 0; change -= 1) payload[random(payload.length)] = random(256);
      expect(survives(payload.subarray(0, payload.length - random(2) * random(payload.length)))).toBe(true);
    }
  });
});

test('a confirmation with any one bit changed is refused', async () => {
  const payload = encodeMakReply({ nonce: makRequest.nonce, code: 'GRANTED', confirmation: makConfirmation });
  const bits = fc.integer({ min: 0, max: payload.length * 8 - 1 });
  const property = fc.asyncProperty(bits, async (bit) => {
    const changed = new Uint8Array(payload);
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const parsed = parseMakReply(changed);
    if (!parsed.ok || parsed.reply.code !== 'GRANTED') return;
    const { confirmation } = parsed.reply;
    // The bit may be one of the nonce, which a confirmation does not depend on.
    if (confirmation === makConfirmation) expect(parsed.reply.nonce).not.toEqual(makRequest.nonce);
    else await expect(verifyMakConfirmation(confirmation, trusted)).rejects.toThrow();
  });
  await fc.assert(property, { numRuns: 500 });
  expect(await verifyConfirmationFor(makConfirmation, makRequest, trusted)).toMatchObject({ productGroup: 'vista-vl' });
});
