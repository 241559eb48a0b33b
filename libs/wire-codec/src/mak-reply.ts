import { MakReply as Wire } from '@muster/contracts/activation';
import { type MakRefusalCode, makRefusalName, makRefusalNumber, resultCodeNumber } from './enumerations.ts';
import { maximumErrorTextBytes } from './error-reply.ts';
import { parseBytes, parseEnumeration, parseText, printableText } from './fields.ts';
import { compactJws, jwsMembers } from './jws-members.ts';
import { maximumReplyPayloadBytes, nonceBytes } from './limits.ts';
import { fail, type MessageProblem, parseMessage } from './message-problem.ts';

/**
 * What a gateway in front of a vendor's authority answers (message `MakReply` of activation.proto, DESIGN 5). The
 * confirmation proves itself; a refusal is unsigned, so it is only advice.
 */
export type MakReply = {
  /** That of the request, 32 bytes. */
  readonly nonce: Uint8Array;
} & (
  | {
      readonly code: 'GRANTED';
      /** A JWT by the vendor. */
      readonly confirmation: string;
    }
  | {
      readonly code: MakRefusalCode;
      /** Why it is refused, one sentence. */
      readonly message: string;
      /** What to do about it, one sentence. */
      readonly remedy: string;
    }
);

/** A reply, or why the bytes are none. */
export type ParsedMakReply =
  | { readonly ok: true; readonly reply: MakReply }
  | { readonly ok: false; readonly problem: MessageProblem };

// The number of the field of activation.proto that is a message: confirmation.
const embeddedFields = [3];

/**
 * Encodes a reply. Texts are made printable and cut to 1,024 bytes each. Throws RangeError when the confirmation is no
 * compact JWS.
 */
export function encodeMakReply(reply: MakReply): Uint8Array {
  const { nonce } = reply;
  if (reply.code === 'GRANTED') {
    const code = resultCodeNumber(reply.code);
    return Wire.encode({ nonce, code, confirmation: jwsMembers(reply.confirmation), message: '', remedy: '' }).finish();
  }
  const code = makRefusalNumber(reply.code);
  const message = printableText(reply.message, maximumErrorTextBytes);
  const remedy = printableText(reply.remedy, maximumErrorTextBytes);
  return Wire.encode({ nonce, code, confirmation: undefined, message, remedy }).finish();
}

/**
 * Parses the payload of a MakReply frame. It says nothing about who signed the confirmation: verify it with
 * `verifyConfirmationFor`. Never throws.
 */
export function parseMakReply(payload: Uint8Array): ParsedMakReply {
  const parsed = parseMessage(
    payload,
    maximumReplyPayloadBytes,
    (reader) => Wire.decode(reader),
    parseFields,
    embeddedFields,
  );
  return parsed.ok ? { ok: true, reply: parsed.value } : parsed;
}

function parseFields(wire: Wire): MakReply {
  const nonce = parseBytes('nonce', wire.nonce, nonceBytes);
  const code = parseEnumeration('code', wire.code, replyCodeName);
  const { confirmation } = wire;
  if (code === 'GRANTED') {
    if (confirmation === undefined) return failFor('code says GRANTED and confirmation is missing.');
    if (wire.message !== '' || wire.remedy !== '') return failFor('code says GRANTED and there is a message.');
    return { nonce, code, confirmation: compactJws(confirmation) };
  }
  if (confirmation !== undefined) return failFor('code refuses and there is a confirmation.');
  const message = parseText('message', wire.message, maximumErrorTextBytes);
  const remedy = parseText('remedy', wire.remedy, maximumErrorTextBytes);
  return { nonce, code, message, remedy };
}

function replyCodeName(number: number): MakReply['code'] | undefined {
  return number === resultCodeNumber('GRANTED') ? 'GRANTED' : makRefusalName(number);
}

function failFor(message: string): never {
  return fail('confirmation', message, 'Send a confirmation with GRANTED, and a message with every other code.');
}
