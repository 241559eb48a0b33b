/** Length of a UUID in bytes (RFC 9562). */
export const uuidBytes = 16;

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const textLength = 36;
const hyphensAt = [8, 13, 18, 23];
/** Where the two digits of each byte stand in the text. */
const digitsAt = [0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34];

/** The 16 bytes of a UUID written as 8-4-4-4-12 hexadecimal digits, in either case. Undefined for any other text. */
export function parseUuid(text: string): Uint8Array | undefined {
  if (text.length !== textLength) return undefined;
  for (const at of hyphensAt) if (text[at] !== '-') return undefined;
  const bytes = new Uint8Array(uuidBytes);
  for (let index = 0; index < uuidBytes; index += 1) {
    const at = digitsAt[index] ?? 0;
    const byte = (digitValue(text.charCodeAt(at)) << 4) | digitValue(text.charCodeAt(at + 1));
    if (byte < 0) return undefined;
    bytes[index] = byte;
  }
  return bytes;
}

/** -1 for anything but a hexadecimal digit, so that what it is combined with is negative too. */
function digitValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
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
