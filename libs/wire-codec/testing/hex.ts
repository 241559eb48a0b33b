/** Bytes as lower-case hexadecimal digits, the form of all bytes in the vectors. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

/** The bytes of hexadecimal digits. */
export function unhex(digits: string): Uint8Array {
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

/** A value with every byte array in it written as hexadecimal digits. */
export function withHex(value: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, member instanceof Uint8Array ? hex(member) : member]),
  );
}
