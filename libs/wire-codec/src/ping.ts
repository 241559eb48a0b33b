import { Ping, Pong } from '@muster/contracts/activation';
import { maximumPingBytes, maximumRequestPayloadBytes } from './limits.ts';
import { fail, type MessageProblem, parseMessage } from './message-problem.ts';

/** What a ping carried or a pong repeats, or why the bytes are neither. */
export type ParsedPing =
  | { readonly ok: true; readonly payload: Uint8Array }
  | { readonly ok: false; readonly problem: MessageProblem };

/** Encodes a ping of at most 64 bytes. Throws RangeError beyond. */
export function encodePing(payload: Uint8Array): Uint8Array {
  return Ping.encode({ payload: requireLength(payload) }).finish();
}

/** Encodes the pong that repeats a ping's payload. Throws RangeError beyond 64 bytes. */
export function encodePong(payload: Uint8Array): Uint8Array {
  return Pong.encode({ payload: requireLength(payload) }).finish();
}

/** Parses the payload of a Ping frame. Never throws. */
export function parsePing(bytes: Uint8Array): ParsedPing {
  const parsed = parseMessage(bytes, maximumRequestPayloadBytes, (reader) => Ping.decode(reader), parseFields);
  return parsed.ok ? { ok: true, payload: parsed.value } : parsed;
}

/** Parses the payload of a Pong frame. Never throws. */
export function parsePong(bytes: Uint8Array): ParsedPing {
  const parsed = parseMessage(bytes, maximumRequestPayloadBytes, (reader) => Pong.decode(reader), parseFields);
  return parsed.ok ? { ok: true, payload: parsed.value } : parsed;
}

function parseFields(wire: Ping | Pong): Uint8Array {
  if (wire.payload.length <= maximumPingBytes) return wire.payload;
  return fail(
    'payload',
    `payload has ${wire.payload.length} bytes; at most ${maximumPingBytes} are allowed.`,
    'Send less.',
  );
}

function requireLength(payload: Uint8Array): Uint8Array {
  if (payload.length <= maximumPingBytes) return payload;
  throw new RangeError(`a ping carries at most ${maximumPingBytes} bytes, not ${payload.length}`);
}
