import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatUuid, parseUuid } from './index.ts';

describe('UUIDs', () => {
  test('any 16 bytes survive their text, in either case', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 16 }), (bytes) => {
        const text = formatUuid(bytes);
        expect(text).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
        expect(parseUuid(text)).toEqual(bytes);
        expect(parseUuid(text.toUpperCase())).toEqual(bytes);
      }),
    );
  });

  test('other texts and lengths are none', () => {
    const uuid = '6ba7b810-9dad-41d1-80b4-00c04fd430c8';
    const wrong = ['', 'x', uuid.slice(1), `${uuid}0`, ` ${uuid}`, `${uuid}\n`, `{${uuid}}`, `urn:uuid:${uuid}`];
    for (const text of [...wrong, uuid.replaceAll('-', ''), uuid.replace('6', 'g')]) {
      expect(parseUuid(text)).toBeUndefined();
    }
    for (const length of [0, 15, 17]) expect(() => formatUuid(new Uint8Array(length))).toThrow(RangeError);
  });
});
