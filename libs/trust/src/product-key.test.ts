import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { makeProductKey, type ProductKeyKind, parseProductKey, productKeyRandomBytes } from './product-key.ts';

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const random = fc.uint8Array({ minLength: productKeyRandomBytes, maxLength: productKeyRandomBytes });
const kind = fc.constantFrom<ProductKeyKind>('KMS', 'MAK');
const key = fc.tuple(kind, random).map(([each, bytes]) => makeProductKey(each, bytes));

describe('a product key', () => {
  test('has five blocks of five characters, begins with its kind, and is read back', () => {
    fc.assert(
      fc.property(kind, random, (each, bytes) => {
        const text = makeProductKey(each, bytes);
        expect(text).toMatch(/^[KM][0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{5}){4}$/);
        expect(parseProductKey(text)).toEqual({ kind: each, text, lastFive: text.slice(-5) });
      }),
    );
  });

  test('differs with every one of its 110 random bits', () => {
    const seen = new Set([makeProductKey('MAK', new Uint8Array(productKeyRandomBytes))]);
    for (let bit = 0; bit < 110; bit += 1) {
      const bytes = new Uint8Array(productKeyRandomBytes);
      bytes[bit >> 3] = 0x80 >> (bit & 7);
      seen.add(makeProductKey('MAK', bytes));
    }
    expect(seen.size).toBe(111);
  });

  test('is read in small letters, without hyphens, with spaces, and with the letters that look like digits', () => {
    fc.assert(
      fc.property(key, fc.constantFrom('', ' ', '-', ' - '), (text, separator) => {
        const typed = text.toLowerCase().replaceAll('0', 'o').replaceAll('1', 'l').replaceAll('-', separator);
        expect(parseProductKey(`\t${typed} `).text).toBe(text);
      }),
    );
  });
});

describe('a typing error is found before anything is looked up', () => {
  test('in any one character: all 25 times 31 of them, and the place is told', () => {
    fc.assert(
      fc.property(key, (text) => {
        const plain = text.replaceAll('-', '');
        for (let position = 0; position < plain.length; position += 1) {
          for (const wrong of alphabet.replace(plain.charAt(position), '')) {
            const typed = plain.slice(0, position) + wrong + plain.slice(position + 1);
            expect(() => parseProductKey(typed)).toThrow(
              `probably in character ${(position % 5) + 1} of block ${Math.floor(position / 5) + 1}`,
            );
          }
        }
      }),
      { numRuns: 20 },
    );
  });

  test('in any two characters, swaps of any two among them', () => {
    fc.assert(
      fc.property(
        key,
        fc.uniqueArray(fc.nat(24), { minLength: 2, maxLength: 2 }),
        fc.array(fc.integer({ min: 1, max: 31 }), { minLength: 2, maxLength: 2 }),
        (text, positions, shifts) => {
          const typed = [...text.replaceAll('-', '')];
          for (const [index, position] of positions.entries()) {
            const symbol = alphabet.indexOf(typed[position] ?? '');
            typed[position] = alphabet.charAt((symbol + (shifts[index] ?? 1)) % 32);
          }
          expect(() => parseProductKey(typed.join(''))).toThrow('it has a typing error');
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('as a swap of two neighbours, hyphens between them or not', () => {
    fc.assert(
      fc.property(key, (text) => {
        const plain = text.replaceAll('-', '');
        for (let position = 0; position < 24; position += 1) {
          const [first, second] = [plain.charAt(position), plain.charAt(position + 1)];
          if (first === second) continue;
          const typed = plain.slice(0, position) + second + first + plain.slice(position + 2);
          expect(() => parseProductKey(typed)).toThrow('it has a typing error');
        }
      }),
    );
  });

  test.each([
    ['', 'it has 0 characters, and a product key has 25'],
    ['KKKKK-KKKKK-KKKKK-KKKKK', 'it has 20 characters'],
    ['KKKKK-KKKKK-KKKKK-KKKKK-KKKKU', 'it contains "U"'],
    ['KKKKK-KKKKK-KKKKK-KKKKK-KKKK€', 'it contains "€"'],
    ['ß'.repeat(13), 'it has 26 characters'],
    ['00000-00000-00000-00000-00000', 'it begins with neither K (for a KMS key) nor M (for a MAK)'],
  ])('%j is refused', (typed, message) => {
    expect(() => parseProductKey(typed)).toThrow(
      expect.objectContaining({ code: 'KEY_INVALID', message: expect.stringContaining(message) }),
    );
  });

  test('whatever is typed, the answer is a key or KEY_INVALID, and no more than one character is repeated', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 80 }), (typed) => {
        try {
          parseProductKey(typed);
        } catch (error) {
          expect(error).toMatchObject({ code: 'KEY_INVALID' });
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
