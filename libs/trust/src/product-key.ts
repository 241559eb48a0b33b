import { MusterError } from '@muster/product-groups';
import { checkSymbols, checkSymbolsOf, symbolOf, toText } from './check-symbols.ts';

/** What a product key is for (DESIGN 3): to activate a KMS host, or machines one by one. */
export type ProductKeyKind = 'KMS' | 'MAK';

/** A product key that was read and has no typing error. Whether anybody issued it is not known by that. */
export interface ProductKey {
  readonly kind: ProductKeyKind;
  /** Five blocks of five characters, in capitals, with hyphens. It is a secret. */
  readonly text: string;
  /** What may be shown of it. */
  readonly lastFive: string;
}

const length = 25;
const randomSymbols = 22;
/** Bytes of randomness that a key is made from; 110 of their bits are used. */
export const productKeyRandomBytes = 14;

const kindOfFirst: Readonly<Record<string, ProductKeyKind>> = { K: 'KMS', M: 'MAK' };
const firstOfKind: Readonly<Record<ProductKeyKind, string>> = { KMS: 'K', MAK: 'M' };

/**
 * Makes a product key: a symbol for its kind, 110 random bits, and two check symbols of a Reed-Solomon code over GF(32).
 * Any one or two wrong symbols are found, and with them every typing error in one character and every swap of two.
 *
 * @param random 14 bytes that nobody can guess.
 */
export function makeProductKey(kind: ProductKeyKind, random: Uint8Array): string {
  if (random.length !== productKeyRandomBytes) throw new Error(`a product key needs ${productKeyRandomBytes} bytes`);
  const bits = random.reduce((all, byte) => (all << 8n) | BigInt(byte), 0n) >> 2n;
  const symbols = [symbolOf(firstOfKind[kind]) ?? 0];
  for (let index = randomSymbols - 1; index >= 0; index -= 1) symbols.push(Number((bits >> BigInt(index * 5)) & 31n));
  symbols.push(...checkSymbolsOf(symbols));
  return format(symbols);
}

/**
 * Reads a product key as somebody typed it: in capitals or not, with or without hyphens and spaces, O for 0 and I or L
 * for 1.
 *
 * @throws MusterError `KEY_INVALID` that says where the typing error probably is.
 */
export function parseProductKey(typed: string): ProductKey {
  const symbols = readSymbols(typed);
  const check = checkSymbols(symbols);
  if (!check.ok) throw refuse(`it has a typing error${describePlace(check.position)}`);
  const text = format(symbols);
  const kind = kindOfFirst[text.charAt(0)];
  if (kind === undefined) throw refuse('it begins with neither K (for a KMS key) nor M (for a MAK)');
  return { kind, text, lastFive: text.slice(-5) };
}

function readSymbols(typed: string): readonly number[] {
  const characters = [...typed.toUpperCase().replace(/[\s-]/g, '')];
  const wrong = characters.find((character) => symbolOf(character) === undefined);
  // No more of it is repeated than one character: it may be a secret with one slip in it.
  if (wrong !== undefined) throw refuse(`it contains ${JSON.stringify(wrong)}, which no product key has`);
  if (characters.length !== length)
    throw refuse(`it has ${characters.length} characters, and a product key has ${length}`);
  return characters.map((character) => symbolOf(character) ?? 0);
}

function describePlace(position: number | undefined): string {
  if (position === undefined) return '';
  return `, probably in character ${(position % 5) + 1} of block ${Math.floor(position / 5) + 1}`;
}

function format(symbols: readonly number[]): string {
  return toText(symbols).match(/.{5}/g)?.join('-') ?? '';
}

function refuse(problem: string): MusterError {
  return new MusterError({
    code: 'KEY_INVALID',
    message: `This is no product key: ${problem}.`,
    remedy: 'Type the five blocks of five characters as the vendor wrote them.',
  });
}
