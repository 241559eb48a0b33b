import { ActivationReply as Wire } from '@muster/contracts/activation';
import { type BatchProof, maximumPathEntries, signatureBytes } from '@muster/trust';
import { parseBytes } from './fields.ts';
import { compactJws, jwsMembers } from './jws-members.ts';
import { maximumReplyPayloadBytes } from './limits.ts';
import { fail, type MessageProblem, parseMessage } from './message-problem.ts';

/** What a gateway answers (message `ActivationReply` of activation.proto, DESIGN 5). */
export interface ActivationReply {
  /** An encoded ActivationResult: the exact bytes that the proof covers. */
  readonly signedBody: Uint8Array;
  readonly proof: BatchProof;
  /** Absent when it is the one sent last on this connection. */
  readonly gatewayCredential?: string;
  /** Absent when it is the one sent last on this connection. */
  readonly hostCertificate?: string;
}

/** A reply, or why the bytes are none. */
export type ParsedActivationReply =
  | { readonly ok: true; readonly reply: ActivationReply }
  | { readonly ok: false; readonly problem: MessageProblem };

const pathEntryBytes = 32;
// The numbers of the fields of activation.proto that are messages: proof, gateway_credential, host_certificate.
const embeddedFields = [2, 3, 4];

/** Encodes a reply. Throws RangeError when a credential or certificate is no compact JWS. */
export function encodeActivationReply(reply: ActivationReply): Uint8Array {
  return Wire.encode({
    signedBody: reply.signedBody,
    proof: reply.proof,
    gatewayCredential: reply.gatewayCredential === undefined ? undefined : jwsMembers(reply.gatewayCredential),
    hostCertificate: reply.hostCertificate === undefined ? undefined : jwsMembers(reply.hostCertificate),
  }).finish();
}

/** Parses the payload of an ActivationReply frame. Byte fields are views of the payload. Never throws. */
export function parseActivationReply(payload: Uint8Array): ParsedActivationReply {
  const parsed = parseMessage(
    payload,
    maximumReplyPayloadBytes,
    (reader) => Wire.decode(reader),
    parseFields,
    embeddedFields,
  );
  return parsed.ok ? { ok: true, reply: parsed.value } : parsed;
}

function parseFields(wire: Wire): ActivationReply {
  const remedy = 'Send the reply with its signed body and its proof.';
  if (wire.signedBody.length === 0) fail('signed_body', 'signed_body is empty.', remedy);
  const { proof } = wire;
  if (proof === undefined) return fail('proof', 'proof is missing.', remedy);
  if (proof.path.length > maximumPathEntries) {
    fail('proof.path', `proof.path has more than ${maximumPathEntries} entries.`, 'Sign at most 256 results at once.');
  }
  return {
    signedBody: wire.signedBody,
    proof: {
      signature: parseBytes('proof.signature', proof.signature, signatureBytes),
      leafIndex: proof.leafIndex,
      path: proof.path.map((entry) => parseBytes('proof.path', entry, pathEntryBytes)),
    },
    ...(wire.gatewayCredential === undefined ? {} : { gatewayCredential: compactJws(wire.gatewayCredential) }),
    ...(wire.hostCertificate === undefined ? {} : { hostCertificate: compactJws(wire.hostCertificate) }),
  };
}
