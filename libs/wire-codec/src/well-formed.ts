import { BinaryReader } from '@bufbuild/protobuf/wire';

/**
 * Walks over the fields of an encoded message and throws unless they fill it exactly. Generated code is laxer: it stops
 * at a tag of zero, and lets the last field of an embedded message reach beyond that message's end.
 *
 * @param embedded the numbers of the fields that are messages themselves, and are walked over too
 */
export function requireWellFormed(bytes: Uint8Array, embedded: readonly number[] = []): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (wireType === lengthDelimited && embedded.includes(field)) requireWellFormed(reader.bytes());
    else reader.skip(wireType, field);
  }
}

const lengthDelimited = 2;
