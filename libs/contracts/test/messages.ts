import { create, type DescEnum, type DescField, type DescMessage, ScalarType, toBinary } from '@bufbuild/protobuf';
import fc from 'fast-check';

/** Messages in which every field is set, as they stand on the wire. */
export function wholeMessages(descriptor: DescMessage): fc.Arbitrary<Uint8Array> {
  return contents(descriptor).map((content) => toBinary(descriptor, create(descriptor, content)));
}

function contents(descriptor: DescMessage): fc.Arbitrary<Record<string, unknown>> {
  const alone = descriptor.fields.filter((field) => field.oneof === undefined);
  const fields = Object.fromEntries(alone.map((field) => [field.localName, valuesOf(field)]));
  const choices = descriptor.oneofs.map((oneof) => [
    oneof.localName,
    fc.oneof(...oneof.fields.map((field) => fc.record({ case: fc.constant(field.localName), value: valuesOf(field) }))),
  ]);
  return fc.record({ ...fields, ...Object.fromEntries(choices) });
}

function valuesOf(field: DescField): fc.Arbitrary<unknown> {
  switch (field.fieldKind) {
    case 'scalar':
      return scalar(field.scalar);
    case 'enum':
      return enumeration(field.enum);
    case 'message':
      return contents(field.message);
    case 'list':
      return fc.array(elementOf(field), { minLength: 1, maxLength: 3 });
    case 'map':
      return fc.dictionary(fc.string({ minLength: 1, maxLength: 8 }), elementOf(field), {
        minKeys: 1,
        maxKeys: 3,
        noNullPrototype: true,
      });
  }
}

function elementOf(field: DescField & { fieldKind: 'list' | 'map' }): fc.Arbitrary<unknown> {
  if (field.message !== undefined) return contents(field.message);
  if (field.enum !== undefined) return enumeration(field.enum);
  if (field.scalar !== undefined) return scalar(field.scalar);
  throw new Error('a list or map has elements of some type');
}

/** A value that is known, or one of a release to come. */
function enumeration({ values }: DescEnum): fc.Arbitrary<number> {
  const known = values.map(({ number }) => number).filter((number) => number !== 0);
  return fc.constantFrom(...known, Math.max(...known) + 1);
}

function scalar(type: ScalarType): fc.Arbitrary<unknown> {
  switch (type) {
    case ScalarType.BOOL:
      return fc.constant(true);
    case ScalarType.STRING:
      return fc.string({ minLength: 1, unit: 'grapheme' });
    case ScalarType.BYTES:
      return fc.uint8Array({ minLength: 1, maxLength: 32 });
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return fc.integer({ min: 1, max: 2 ** 32 - 1 });
    case ScalarType.INT32:
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return fc.integer().filter((number) => number !== 0);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.bigInt({ min: 1n, max: BigInt(Number.MAX_SAFE_INTEGER) });
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return fc
        .maxSafeInteger()
        .filter((number) => number !== 0)
        .map(BigInt);
    case ScalarType.DOUBLE:
      return fc.double({ noNaN: true, noDefaultInfinity: true }).filter((number) => number !== 0);
    case ScalarType.FLOAT:
      return fc.float({ noNaN: true, noDefaultInfinity: true }).filter((number) => number !== 0);
  }
}

/** Fields that no release has, one of each form that a field can have (https://protobuf.dev/programming-guides/encoding/). */
export const unknownFields = Buffer.concat([
  Buffer.from([0xc0, 0xa9, 0x07, 0xff, 0xff, 0x03]), // 15000: a number of variable length
  Buffer.from([0xc9, 0xa9, 0x07, 1, 2, 3, 4, 5, 6, 7, 8]), // 15001: 64 bits
  Buffer.from([0xd2, 0xa9, 0x07, 4, 0xde, 0xad, 0xbe, 0xef]), // 15002: bytes
  Buffer.from([0xdd, 0xa9, 0x07, 1, 2, 3, 4]), // 15003: 32 bits
]);

/**
 * What is different between the values that two releases made of a message, in the fields that both have: a path for
 * each difference.
 */
export function differences(
  [oneDescriptor, one]: readonly [DescMessage, object],
  [otherDescriptor, other]: readonly [DescMessage, object],
): string[] {
  return oneDescriptor.fields.flatMap((field) => {
    const same = otherDescriptor.fields.find(({ number }) => number === field.number);
    if (same === undefined) return [];
    const values = [
      (one as Record<string, unknown>)[field.localName],
      (other as Record<string, unknown>)[same.localName],
    ] as const;
    return differencesOf(field, same, ...values).map((path) => `${field.localName}${path}`);
  });
}

function differencesOf(field: DescField, same: DescField, value: unknown, otherValue: unknown): string[] {
  if (value === undefined || otherValue === undefined) return ['is not set'];
  const [message, otherMessage] = [field.message, same.message];
  const compare = (a: unknown, b: unknown) =>
    message !== undefined && otherMessage !== undefined
      ? differences([message, a as object], [otherMessage, b as object])
      : comparable(a) === comparable(b)
        ? []
        : [' differs'];
  if (field.fieldKind === 'list' || field.fieldKind === 'map') {
    const [entries, otherEntries] = [Object.entries(value as object), Object.entries(otherValue as object)];
    if (entries.length !== otherEntries.length || entries.length === 0) return [' has another length'];
    return entries.flatMap(([key, each]) =>
      compare(each, (otherValue as Record<string, unknown>)[key]).map((path) => `[${key}].${path}`),
    );
  }
  return compare(value, otherValue).map((path) => (message === undefined ? path : `.${path}`));
}

function comparable(value: unknown): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : `${typeof value} ${String(value)}`;
}
