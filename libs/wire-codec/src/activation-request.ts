import { ActivationRequest as Wire } from '@muster/contracts/activation';
import {
  type ApplicationId,
  applicationId,
  type EditionId,
  editionId,
  type MachineClass,
} from '@muster/product-groups';
import {
  type LicenceStatusName,
  licenceStatusName,
  licenceStatusNumber,
  machineClassName,
  machineClassNumber,
} from './enumerations.ts';
import {
  parseBytes,
  parseEnumeration,
  parseIdentifier,
  parsePresentUuid,
  parseText,
  parseTimeMs,
  parseUuidField,
} from './fields.ts';
import { findNonce } from './find-nonce.ts';
import { maximumClientVersionBytes, maximumRequestPayloadBytes, nonceBytes } from './limits.ts';
import { type MessageProblem, parseMessage } from './message-problem.ts';
import { requireUuid } from './uuid.ts';

/** Length of a hardware fingerprint: SHA-256. */
export const fingerprintBytes = 32;

const maximumMachineNameBytes = 255;

/** What a client asks, parsed (message `ActivationRequest` of activation.proto, DESIGN 5). */
export interface ActivationRequest {
  /** 32 bytes, fresh for each request. */
  readonly nonce: Uint8Array;
  readonly application: string;
  readonly edition: string;
  /** UUID in lower case, not nil. */
  readonly cmid: string;
  /** UUID in lower case. */
  readonly previousCmid?: string;
  readonly machineClass: MachineClass;
  /** Absent when withheld. */
  readonly machineName?: string;
  /** 32 bytes; absent when unknown. */
  readonly fingerprint?: Uint8Array;
  readonly licenceStatus: LicenceStatusName;
  /** 0 when the present state has no end. */
  readonly minutesLeft: number;
  /** The client's clock, epoch milliseconds. */
  readonly clientTimeMs: number;
  /** Name and version of the client software; may be empty. */
  readonly clientVersion: string;
}

/** A request as it was received: its identifiers have the form that catalogues ask for. */
export interface ReceivedActivationRequest extends ActivationRequest {
  readonly application: ApplicationId;
  readonly edition: EditionId;
}

/** A request, or why the bytes are none, with the nonce where it can be read. */
export type ParsedActivationRequest =
  | { readonly ok: true; readonly request: ReceivedActivationRequest }
  | { readonly ok: false; readonly problem: MessageProblem; readonly nonce?: Uint8Array };

/**
 * Parses the payload of an ActivationRequest frame by every rule of activation.proto. Byte fields are views of the
 * payload. Never throws.
 */
export function parseActivationRequest(payload: Uint8Array): ParsedActivationRequest {
  const parsed = parseMessage(payload, maximumRequestPayloadBytes, (reader) => Wire.decode(reader), parseFields);
  if (parsed.ok) return { ok: true, request: parsed.value };
  const nonce = findNonce(payload);
  return { ok: false, problem: parsed.problem, ...(nonce === undefined ? {} : { nonce }) };
}

/** Encodes a request. Throws RangeError when a CMID is not a UUID. */
export function encodeActivationRequest(request: ActivationRequest): Uint8Array {
  const none = new Uint8Array();
  return Wire.encode({
    nonce: request.nonce,
    application: request.application,
    edition: request.edition,
    cmid: requireUuid('cmid', request.cmid),
    previousCmid: request.previousCmid === undefined ? none : requireUuid('previousCmid', request.previousCmid),
    machineClass: machineClassNumber(request.machineClass),
    machineName: request.machineName ?? '',
    fingerprint: request.fingerprint ?? none,
    licenceStatus: licenceStatusNumber(request.licenceStatus),
    minutesLeft: request.minutesLeft,
    clientTimeUnixMs: request.clientTimeMs,
    clientVersion: request.clientVersion,
  }).finish();
}

function parseFields(wire: Wire): ReceivedActivationRequest {
  const machineName = parseText('machine_name', wire.machineName, maximumMachineNameBytes);
  return {
    nonce: parseBytes('nonce', wire.nonce, nonceBytes),
    application: applicationId(parseIdentifier('application', wire.application)),
    edition: editionId(parseIdentifier('edition', wire.edition)),
    cmid: parsePresentUuid('cmid', wire.cmid),
    ...(wire.previousCmid.length === 0 ? {} : { previousCmid: parseUuidField('previous_cmid', wire.previousCmid) }),
    machineClass: parseEnumeration('machine_class', wire.machineClass, machineClassName),
    ...(machineName === '' ? {} : { machineName }),
    ...(wire.fingerprint.length === 0
      ? {}
      : { fingerprint: parseBytes('fingerprint', wire.fingerprint, fingerprintBytes) }),
    licenceStatus: parseEnumeration('licence_status', wire.licenceStatus, licenceStatusName),
    minutesLeft: wire.minutesLeft,
    clientTimeMs: parseTimeMs('client_time_unix_ms', wire.clientTimeUnixMs),
    clientVersion: parseText('client_version', wire.clientVersion, maximumClientVersionBytes),
  };
}
