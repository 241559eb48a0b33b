import { identifierRule, isIdentifier } from '@muster/product-groups';
import { fail } from './message-problem.ts';
import { formatUuid, isNilUuid, uuidBytes } from './uuid.ts';

// Control characters, line and paragraph separators, and the controls that turn the direction of writing: all of them
// can make a log or a terminal show something else than what was sent.
const unprintable = /[\p{Cc}\u2028-\u202e\u2066-\u2069]/u;
const everyUnprintable = new RegExp(unprintable, 'gu');

// 9999-12-31T23:59:59.999Z
const latestTimeMs = 253_402_300_799_999;

const encoder = new TextEncoder();

/** Bytes of exactly this length. */
export function parseBytes(field: string, bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes;
  return fail(field, `${field} has ${bytes.length} bytes instead of ${length}.`, `Send ${length} bytes.`);
}

/** A UUID in lower case from its 16 bytes. */
export function parseUuidField(field: string, bytes: Uint8Array): string {
  return formatUuid(parseBytes(field, bytes, uuidBytes));
}

/** A UUID that is not nil. */
export function parsePresentUuid(field: string, bytes: Uint8Array): string {
  const uuid = parseUuidField(field, bytes);
  if (isNilUuid(bytes)) fail(field, `${field} is all zero.`, 'Make a random UUID once and keep it.');
  return uuid;
}

/** An identifier of the catalogue. */
export function parseIdentifier(field: string, text: string): string {
  if (isIdentifier(text)) return text;
  return fail(
    field,
    `${field} is not an identifier (${identifierRule}).`,
    'Use the identifier that the catalogue gives.',
  );
}

/** Text that is safe to show, at most so many bytes of UTF-8. May be empty. */
export function parseText(field: string, text: string, maximumBytes: number): string {
  // A code unit takes at most three bytes, so short text needs no counting.
  if (text.length * 3 > maximumBytes && encoder.encode(text).length > maximumBytes) {
    fail(field, `${field} is longer than ${maximumBytes} bytes.`, `Send at most ${maximumBytes} bytes of UTF-8.`);
  }
  if (unprintable.test(text)) fail(field, `${field} contains control characters.`, 'Send printable text.');
  return text;
}

/** Text made safe to show and cut to so many bytes of UTF-8, at a character's border. */
export function printableText(text: string, maximumBytes: number): string {
  const clean = text.toWellFormed().replaceAll(everyUnprintable, ' ');
  return clean.slice(0, encoder.encodeInto(clean, new Uint8Array(maximumBytes)).read);
}

/** Epoch milliseconds within the years 1970 to 9999. */
export function parseTimeMs(field: string, timeMs: number): number {
  if (timeMs >= 0 && timeMs <= latestTimeMs) return timeMs;
  return fail(
    field,
    `${field} lies outside the years 1970 to 9999.`,
    'Send milliseconds since 1970-01-01T00:00:00Z, and set the clock.',
  );
}

/** A value of an enumeration that this version knows. */
export function parseEnumeration<Name>(
  field: string,
  number: number,
  nameOf: (number: number) => Name | undefined,
): Name {
  const name = nameOf(number);
  if (name !== undefined) return name;
  return fail(field, `${field} has the unknown value ${number}.`, 'Use a value that activation.proto lists.');
}
