/** Length of a UUID in bytes (RFC 9562). */
export const uuidBytes = 16;

const canonical = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

/** The 16 bytes of a UUID written as 8-4-4-4-12 hexadecimal digits, in either case. Undefined for any other text. */
export function parseUuid(text: string): Uint8Array | undefined {
  if (!canonical.test(text)) return undefined;
  const digits = text.replaceAll('-', '');
  const bytes = new Uint8Array(uuidBytes);
  for (let index = 0; index < uuidBytes; index += 1) {
    bytes[index] = Number.parseInt(digits.slice(2 * index, 2 * index + 2), 16);
  }
  return bytes;
}

/** A UUID in lower case, 8-4-4-4-12. Throws RangeError unless there are 16 bytes. */
export function formatUuid(bytes: Uint8Array): string {
  if (bytes.length !== uuidBytes) throw new RangeError(`a UUID has ${uuidBytes} bytes, not ${bytes.length}`);
  let text = '';
  for (let index = 0; index < uuidBytes; index += 1) {
    if (index === 4 || index === 6 || index === 8 || index === 10) text += '-';
    text += hex[bytes[index] ?? 0];
  }
  return text;
}

/** The bytes of a UUID that must be one. Throws RangeError: whoever encodes has parsed before. */
export function requireUuid(name: string, text: string): Uint8Array {
  const bytes = parseUuid(text);
  if (bytes === undefined) throw new RangeError(`${name} is not a UUID: ${JSON.stringify(text)}`);
  return bytes;
}

/** Whether all bytes are zero: the nil UUID. */
export function isNilUuid(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
