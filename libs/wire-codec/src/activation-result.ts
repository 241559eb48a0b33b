import { ActivationResult as Wire } from '@muster/contracts/activation';
import { resultCodeName, resultCodeNumber, type WireResultCodeName } from './enumerations.ts';
import { parseBytes, parseEnumeration, parseIdentifier, parseTimeMs, parseUuidField } from './fields.ts';
import { maximumReplyPayloadBytes, nonceBytes } from './limits.ts';
import { type MessageProblem, parseMessage } from './message-problem.ts';
import { requireUuid } from './uuid.ts';

/** What a host decided for one nonce (message `ActivationResult` of activation.proto): the body that is signed. */
export interface ActivationResult {
  readonly code: WireResultCodeName;
  /** The request's nonce, 32 bytes. */
  readonly nonce: Uint8Array;
  readonly application: string;
  readonly edition: string;
  /** UUID in lower case. */
  readonly cmid: string;
  readonly count: number;
  readonly threshold: number;
  readonly activationIntervalMinutes: number;
  readonly renewalIntervalMinutes: number;
  /** 0 for refusals. */
  readonly validityMinutes: number;
  /** The host's clock, epoch milliseconds. */
  readonly issuedAtMs: number;
  /** Epoch milliseconds; 0 for refusals. */
  readonly expiresAtMs: number;
  /** UUID in lower case. */
  readonly hostId: string;
  /** UUID in lower case: the id of the row in the activation log and of the event. */
  readonly activationId: string;
  readonly graceMinutes: number;
}

/** A result, or why the bytes are none. */
export type ParsedActivationResult =
  | { readonly ok: true; readonly result: ActivationResult }
  | { readonly ok: false; readonly problem: MessageProblem };

/** Encodes a result: the signed body. Throws RangeError when an id is not a UUID. */
export function encodeActivationResult(result: ActivationResult): Uint8Array {
  return Wire.encode({
    code: resultCodeNumber(result.code),
    nonce: result.nonce,
    application: result.application,
    edition: result.edition,
    cmid: requireUuid('cmid', result.cmid),
    count: result.count,
    threshold: result.threshold,
    activationIntervalMinutes: result.activationIntervalMinutes,
    renewalIntervalMinutes: result.renewalIntervalMinutes,
    validityMinutes: result.validityMinutes,
    issuedAtUnixMs: result.issuedAtMs,
    expiresAtUnixMs: result.expiresAtMs,
    hostId: requireUuid('hostId', result.hostId),
    activationId: requireUuid('activationId', result.activationId),
    graceMinutes: result.graceMinutes,
  }).finish();
}

/**
 * Parses a signed body. It says nothing about who signed it: verify the reply with `verifyActivationReply`.
 * Byte fields are views of the input. Never throws.
 */
export function parseActivationResult(bytes: Uint8Array): ParsedActivationResult {
  const parsed = parseMessage(bytes, maximumReplyPayloadBytes, (reader) => Wire.decode(reader), parseFields);
  return parsed.ok ? { ok: true, result: parsed.value } : parsed;
}

function parseFields(wire: Wire): ActivationResult {
  return {
    code: parseEnumeration('code', wire.code, resultCodeName),
    nonce: parseBytes('nonce', wire.nonce, nonceBytes),
    application: parseIdentifier('application', wire.application),
    edition: parseIdentifier('edition', wire.edition),
    cmid: parseUuidField('cmid', wire.cmid),
    count: wire.count,
    threshold: wire.threshold,
    activationIntervalMinutes: wire.activationIntervalMinutes,
    renewalIntervalMinutes: wire.renewalIntervalMinutes,
    validityMinutes: wire.validityMinutes,
    issuedAtMs: parseTimeMs('issued_at_unix_ms', wire.issuedAtUnixMs),
    expiresAtMs: parseTimeMs('expires_at_unix_ms', wire.expiresAtUnixMs),
    hostId: parseUuidField('host_id', wire.hostId),
    activationId: parseUuidField('activation_id', wire.activationId),
    graceMinutes: wire.graceMinutes,
  };
}
