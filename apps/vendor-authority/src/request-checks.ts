import { identifierRule, isIdentifier, MusterError } from '@muster/product-groups';
import { formatUuid } from '@muster/wire-codec';

/** What requests hold is read here, once; inside, it is trusted. All of it throws MusterError `INPUT_INVALID`. */

/** Nothing that moves a cursor or turns the direction of writing: these texts are shown to people. */
const printable = /^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]*$/u;

/** Bytes of exactly this length. */
export function bytesOf(name: string, bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes;
  throw invalid(`The ${name} has ${length} bytes, not ${bytes.length}.`, `Give a ${name} of ${length} bytes.`);
}

const uuidBytes = 16;

/** The text of a UUID of 16 bytes. */
export function uuidOf(name: string, bytes: Uint8Array): string {
  return formatUuid(bytesOf(name, bytes, uuidBytes));
}

const leastRequestBytes = 16;
const mostRequestBytes = 64;

/** The id of a request. */
export function requestIdOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= leastRequestBytes && bytes.length <= mostRequestBytes) return bytes;
  throw invalid(
    `The request id has ${leastRequestBytes} to ${mostRequestBytes} bytes, not ${bytes.length}.`,
    `Choose ${leastRequestBytes} random bytes, and repeat them when the same request is made again.`,
  );
}

/** An identifier of the catalogue. */
export function identifierOf(name: string, text: string): string {
  if (isIdentifier(text)) return text;
  throw invalid(`The ${name} is no identifier.`, `Use ${identifierRule}.`);
}

/** A text for people, of at least and at most so many characters. */
export function printableOf(name: string, text: string, least: number, most: number): string {
  const length = [...text].length;
  if (length >= least && length <= most && printable.test(text)) return text;
  throw invalid(
    `The ${name} is not ${least} to ${most} printable characters.`,
    `Give a ${name} on one line, of ${least} to ${most} characters.`,
  );
}

function invalid(message: string, remedy: string): MusterError {
  return new MusterError({ code: 'INPUT_INVALID', message, remedy });
}
