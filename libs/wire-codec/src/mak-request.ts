import { MakRequest as Wire } from '@muster/contracts/activation';
import { type ApplicationId, applicationId, type EditionId, editionId } from '@muster/product-groups';
import { installationIdBytes } from '@muster/trust';
import { parseBytes, parseIdentifier, parseText } from './fields.ts';
import { findNonce } from './find-nonce.ts';
import { maximumClientVersionBytes, maximumRequestPayloadBytes, nonceBytes } from './limits.ts';
import { fail, type MessageProblem, parseMessage } from './message-problem.ts';

/** What a client asks that has a MAK (message `MakRequest` of activation.proto, DESIGN 5). */
export interface MakRequest {
  /** 32 bytes, fresh for each request. */
  readonly nonce: Uint8Array;
  /** 25 characters in capitals, without hyphens. It is a secret. */
  readonly productKey: string;
  readonly application: string;
  readonly edition: string;
  /** 32 bytes, see `installationId` of @muster/trust. */
  readonly installationId: Uint8Array;
  /** Name and version of the client software; may be empty. */
  readonly clientVersion: string;
}

/** A request as it was received: its identifiers have the form that catalogues ask for. */
export interface ReceivedMakRequest extends MakRequest {
  readonly application: ApplicationId;
  readonly edition: EditionId;
}

/** A request, or why the bytes are none, with the nonce where it can be read. */
export type ParsedMakRequest =
  | { readonly ok: true; readonly request: ReceivedMakRequest }
  | { readonly ok: false; readonly problem: MessageProblem; readonly nonce?: Uint8Array };

/**
 * Parses the payload of a MakRequest frame by every rule of activation.proto. Byte fields are views of the payload. Only
 * the form of the product key is checked, and no problem repeats any of it. Never throws.
 */
export function parseMakRequest(payload: Uint8Array): ParsedMakRequest {
  const parsed = parseMessage(payload, maximumRequestPayloadBytes, (reader) => Wire.decode(reader), parseFields);
  if (parsed.ok) return { ok: true, request: parsed.value };
  const nonce = findNonce(payload);
  return { ok: false, problem: parsed.problem, ...(nonce === undefined ? {} : { nonce }) };
}

/** Encodes a request. */
export function encodeMakRequest(request: MakRequest): Uint8Array {
  return Wire.encode(request).finish();
}

function parseFields(wire: Wire): ReceivedMakRequest {
  return {
    nonce: parseBytes('nonce', wire.nonce, nonceBytes),
    productKey: parseProductKeyText(wire.productKey),
    application: applicationId(parseIdentifier('application', wire.application)),
    edition: editionId(parseIdentifier('edition', wire.edition)),
    installationId: parseBytes('installation_id', wire.installationId, installationIdBytes),
    clientVersion: parseText('client_version', wire.clientVersion, maximumClientVersionBytes),
  };
}

function parseProductKeyText(text: string): string {
  if (/^[0-9A-HJKMNP-TV-Z]{25}$/.test(text)) return text;
  return fail(
    'product_key',
    'product_key is not 25 characters of a product key, in capitals and without hyphens.',
    'Read what was typed as docs/protocol.md describes it, and send the characters alone.',
  );
}
