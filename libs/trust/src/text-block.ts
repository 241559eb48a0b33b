import { createHash } from 'node:crypto';
import { MusterError } from '@muster/product-groups';
import { checkSymbols, checkSymbolsOf, symbolOf, toText } from './check-symbols.ts';

/**
 * Bytes as a text that a person can read out, type or fax: numbered lines of five groups of five characters, each with
 * two check symbols, and a checksum over all at the end. A slip of the pen is found in its line.
 *
 * ```text
 * MUSTER ACTIVATION REQUEST
 * 01  0G3T8 QK5W1 ...  7M
 * 02  ...
 * END 4XK2P
 * ```
 */
const symbolsPerLine = 25;
const bitsPerSymbol = 5;
const checksumSymbols = 5;
/** Two digits number the lines. */
const mostLines = 99;
/** Most bytes of a block: 99 lines less the two bytes of the length. */
export const mostBlockBytes = Math.floor((mostLines * symbolsPerLine * bitsPerSymbol) / 8) - 2;

/**
 * Writes bytes as a text block.
 *
 * @param title what it is, in capitals; the reader asks for the same one.
 * @param bytes at most `mostBlockBytes`.
 */
export function encodeTextBlock(title: string, bytes: Uint8Array): string {
  if (bytes.length > mostBlockBytes) throw new Error(`a text block holds ${mostBlockBytes} bytes at most`);
  const symbols = toSymbols(Buffer.concat([lengthBytes(bytes.length), bytes]));
  const lines: string[] = [];
  for (let start = 0; start < symbols.length; start += symbolsPerLine) {
    const number = lines.length + 1;
    const line = symbols.slice(start, start + symbolsPerLine);
    while (line.length < symbolsPerLine) line.push(0);
    const groups = toText(line).match(/.{5}/g)?.join(' ') ?? '';
    lines.push(`${String(number).padStart(2, '0')}  ${groups}  ${toText(checkSymbolsOf(withNumber(number, line)))}`);
  }
  return [title, ...lines, `END ${checksum(title, bytes)}`, ''].join('\n');
}

/**
 * Reads a text block as somebody typed it: text around it, other line ends, missing or more spaces, small letters, O for
 * 0 and I or L for 1 do not matter.
 *
 * @throws MusterError `DOCUMENT_INVALID` that names every line that is wrong or missing.
 */
export function decodeTextBlock(title: string, text: string): Uint8Array {
  const { lines, end } = readLines(title, text);
  const problems: string[] = [];
  const symbols: number[] = [];
  const last = Math.max(...lines.keys(), 0);
  for (let number = 1; number <= last; number += 1) {
    const line = lines.get(number);
    const read = line === undefined ? `line ${number} is missing` : readLine(number, line);
    if (typeof read === 'string') problems.push(read);
    else symbols.push(...read);
  }
  if (end === undefined) problems.push('the last line, which begins with END, is missing');
  if (problems.length > 0) throw refuse(title, problems.join('; '));
  const bytes = toBytes(symbols);
  const length = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0);
  const content = bytes.subarray(2, 2 + length);
  if (content.length !== length || toSymbols(bytes.subarray(0, 2 + length)).length > symbols.length) {
    throw refuse(title, 'lines at its end are missing');
  }
  if (!sameSymbols(end ?? '', checksum(title, content))) {
    throw refuse(title, 'the checksum after END does not fit: a line is of another block, or END was copied wrongly');
  }
  return content;
}

interface Lines {
  /** What stands behind the number of each line. */
  readonly lines: ReadonlyMap<number, string>;
  readonly end: string | undefined;
}

function readLines(title: string, text: string): Lines {
  const all = text.split(/[\r\n]+/).map((line) => line.trim().toUpperCase());
  const start = all.findIndex((line) => line.replace(/\s+/g, ' ') === title);
  if (start === -1) throw refuse(title, `it does not begin with the line ${title}`);
  const lines = new Map<number, string>();
  for (const line of all.slice(start + 1)) {
    const ending = /^END\s+(.+)$/.exec(line);
    if (ending !== null) return { lines, end: ending[1] };
    const numbered = /^(\d{1,2})\s+(.+)$/.exec(line);
    if (numbered !== null) lines.set(Number(numbered[1]), numbered[2] ?? '');
  }
  return { lines, end: undefined };
}

/** The symbols of a line without its check symbols, or what is wrong with it. */
function readLine(number: number, line: string): readonly number[] | string {
  const characters = [...line.replace(/[\s-]/g, '')];
  const symbols = characters.map(symbolOf);
  const wrong = symbols.indexOf(undefined);
  if (wrong !== -1) return `line ${number} contains ${JSON.stringify(characters[wrong])}, which no block has`;
  if (symbols.length !== symbolsPerLine + 2) {
    return `line ${number} has ${symbols.length} characters, and a line has ${symbolsPerLine + 2}`;
  }
  const known = symbols.map((symbol) => symbol ?? 0);
  const check = checkSymbols(withNumber(number, known));
  return check.ok ? known.slice(0, symbolsPerLine) : `line ${number} has a slip`;
}

/** The number of the line is guarded too: two lines that were swapped are found. */
function withNumber(number: number, symbols: readonly number[]): readonly number[] {
  return [number >> bitsPerSymbol, number & 31, ...symbols];
}

function checksum(title: string, bytes: Uint8Array): string {
  const digest = createHash('sha256').update(title).update('\n').update(bytes).digest();
  return toText(toSymbols(digest).slice(0, checksumSymbols));
}

function sameSymbols(typed: string, expected: string): boolean {
  const symbols = [...typed.replace(/[\s-]/g, '')].map(symbolOf);
  return (
    symbols.length === expected.length && symbols.every((symbol, index) => symbol === symbolOf(expected.charAt(index)))
  );
}

function lengthBytes(length: number): Uint8Array {
  return Uint8Array.of(length >> 8, length & 255);
}

/** Five bits a symbol, the highest first; zeros fill the last one. */
function toSymbols(bytes: Uint8Array): number[] {
  const symbols: number[] = [];
  let bits = 0;
  let held = 0;
  for (const byte of bytes) {
    bits = ((bits << 8) | byte) & 0xfff;
    held += 8;
    while (held >= bitsPerSymbol) {
      held -= bitsPerSymbol;
      symbols.push((bits >> held) & 31);
    }
  }
  if (held > 0) symbols.push((bits << (bitsPerSymbol - held)) & 31);
  return symbols;
}

/** The whole bytes that symbols hold. */
function toBytes(symbols: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(Math.floor((symbols.length * bitsPerSymbol) / 8));
  let bits = 0;
  let held = 0;
  let index = 0;
  for (const symbol of symbols) {
    bits = ((bits << bitsPerSymbol) | symbol) & 0xfff;
    held += bitsPerSymbol;
    if (held >= 8) {
      held -= 8;
      bytes[index] = (bits >> held) & 255;
      index += 1;
    }
  }
  return bytes;
}

function refuse(title: string, problem: string): MusterError {
  return new MusterError({
    code: 'DOCUMENT_INVALID',
    message: `The text block ${title} cannot be read: ${problem}.`,
    remedy: 'Compare the lines that are named with the original, and give the whole block again.',
  });
}
