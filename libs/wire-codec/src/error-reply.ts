import { ErrorReply as Wire } from '@muster/contracts/activation';
import { resultCodeName, resultCodeNumber, type WireResultCodeName } from './enumerations.ts';
import { parseBytes, parseEnumeration, parseText, printableText } from './fields.ts';
import { maximumReplyPayloadBytes, nonceBytes } from './limits.ts';
import { type MessageProblem, parseMessage } from './message-problem.ts';

/** The most bytes of UTF-8 in the message and in the remedy of an error reply. */
export const maximumErrorTextBytes = 1024;

/** Why a request has no result (message `ErrorReply` of activation.proto). Unsigned, so only advice (DESIGN 5). */
export interface ErrorReply {
  readonly code: WireResultCodeName;
  /** What was wrong and where, one sentence. */
  readonly message: string;
  /** What to do about it, one sentence. */
  readonly remedy: string;
  /** The request's nonce, where it could be read. */
  readonly nonce?: Uint8Array;
  /** For UNAVAILABLE and RATE_LIMITED. */
  readonly retryAfterMs?: number;
}

/** An error reply, or why the bytes are none. */
export type ParsedErrorReply =
  | { readonly ok: true; readonly error: ErrorReply }
  | { readonly ok: false; readonly problem: MessageProblem };

/** Encodes an error reply. Its texts are made printable and cut to 1,024 bytes each. */
export function encodeErrorReply(error: ErrorReply): Uint8Array {
  return Wire.encode({
    code: resultCodeNumber(error.code),
    message: printableText(error.message, maximumErrorTextBytes),
    remedy: printableText(error.remedy, maximumErrorTextBytes),
    nonce: error.nonce ?? new Uint8Array(),
    retryAfterMs: error.retryAfterMs ?? 0,
  }).finish();
}

/** Parses the payload of an ErrorReply frame. Never throws. */
export function parseErrorReply(payload: Uint8Array): ParsedErrorReply {
  const parsed = parseMessage(payload, maximumReplyPayloadBytes, (reader) => Wire.decode(reader), parseFields);
  return parsed.ok ? { ok: true, error: parsed.value } : parsed;
}

function parseFields(wire: Wire): ErrorReply {
  return {
    code: parseEnumeration('code', wire.code, resultCodeName),
    message: parseText('message', wire.message, maximumErrorTextBytes),
    remedy: parseText('remedy', wire.remedy, maximumErrorTextBytes),
    ...(wire.nonce.length === 0 ? {} : { nonce: parseBytes('nonce', wire.nonce, nonceBytes) }),
    ...(wire.retryAfterMs === 0 ? {} : { retryAfterMs: wire.retryAfterMs }),
  };
}
