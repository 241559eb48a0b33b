/**
 * Symbols that people copy, in Crockford's base32 (no I, L, O and U, which are mistaken for others), and two check
 * symbols of a Reed-Solomon code over GF(32) behind them. In up to 31 symbols, any one or two wrong ones are found, and
 * with them every typing error in one character and every swap of two.
 */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** Most symbols that two check symbols guard, themselves included. */
export const longestWord = 31;

/** Powers of a generator of GF(32), by x^5 + x^2 + 1. */
const powers: readonly number[] = powersOfTwo();
const logarithms = new Map(powers.map((value, exponent) => [value, exponent]));

/** The number of a character, 0 to 31, in capitals or not, O for 0 and I or L for 1; undefined when it has none. */
export function symbolOf(character: string): number | undefined {
  const capital = character.toUpperCase();
  const plain = capital === 'O' ? '0' : capital === 'I' || capital === 'L' ? '1' : capital;
  const symbol = plain.length === 1 ? alphabet.indexOf(plain) : -1;
  return symbol === -1 ? undefined : symbol;
}

/** The characters of symbols, 0 to 31 each. */
export function toText(symbols: readonly number[]): string {
  return symbols.map((symbol) => alphabet.charAt(symbol)).join('');
}

/**
 * The two symbols to put behind at most 29 others. With them the sum of all symbols is zero, and so is the sum of each
 * one times the generator to the power of its place.
 */
export function checkSymbolsOf(symbols: readonly number[]): readonly [number, number] {
  if (symbols.length > longestWord - 2) throw new Error('two check symbols guard 29 others at most');
  const { sum, weighted } = sums(symbols);
  const [first, second] = [power(symbols.length), power(symbols.length + 1)];
  const last = divide(weighted ^ multiply(sum, first), first ^ second);
  return [sum ^ last, last];
}

/** What the check symbols say: in order, or wrong and where, if it is one symbol. */
export type Checked = { readonly ok: true } | { readonly ok: false; readonly position: number | undefined };

/** Checks symbols that end with their two check symbols. */
export function checkSymbols(symbols: readonly number[]): Checked {
  const { sum, weighted } = sums(symbols);
  if (sum === 0 && weighted === 0) return { ok: true };
  if (sum === 0 || weighted === 0) return { ok: false, position: undefined };
  // A single error of e at place i makes the sums e and e times the i-th power.
  const position = logarithms.get(divide(weighted, sum)) ?? longestWord;
  return { ok: false, position: position < symbols.length ? position : undefined };
}

function sums(symbols: readonly number[]): { readonly sum: number; readonly weighted: number } {
  let sum = 0;
  let weighted = 0;
  for (const [position, symbol] of symbols.entries()) {
    sum ^= symbol;
    weighted ^= multiply(symbol, power(position));
  }
  return { sum, weighted };
}

function powersOfTwo(): readonly number[] {
  const list = [1];
  while (list.length < longestWord) {
    const doubled = (list.at(-1) ?? 0) << 1;
    list.push(doubled >= 32 ? doubled ^ 0b100101 : doubled);
  }
  return list;
}

function power(exponent: number): number {
  return powers[exponent % 31] ?? 0;
}

function multiply(a: number, b: number): number {
  const [logarithmA, logarithmB] = [logarithms.get(a), logarithms.get(b)];
  return logarithmA === undefined || logarithmB === undefined ? 0 : power(logarithmA + logarithmB);
}

function divide(a: number, b: number): number {
  const [logarithmA, logarithmB] = [logarithms.get(a), logarithms.get(b)];
  if (logarithmB === undefined) throw new Error('no division by zero in GF(32)');
  return logarithmA === undefined ? 0 : power(logarithmA - logarithmB + 31);
}
