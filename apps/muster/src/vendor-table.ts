import { stripVTControlCharacters } from 'node:util';
import { table } from './table.ts';

/** Columns of a terminal that tables keep to. */
const mostColumns = 100;
const gap = 2;
/** No column that is cut is narrower. */
const leastColumns = 8;

/**
 * A table of at most 100 columns: where it would be wider, texts of the named columns are cut.
 *
 * @param cut the columns, from 0, that may be cut.
 */
export function fittingTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  cut: readonly number[],
): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => widthOf(row[column] ?? ''))));
  const total = () => widths.reduce((sum, width) => sum + width + gap, -gap);
  while (total() > mostColumns) {
    const widest = cut.reduce((one, other) => ((widths[other] ?? 0) > (widths[one] ?? 0) ? other : one));
    const width = widths[widest] ?? 0;
    if (width <= leastColumns) break;
    widths[widest] = width - 1;
  }
  const fitted = rows.map((row) =>
    row.map((text, column) => (cut.includes(column) ? shorten(text, widths[column] ?? 0) : text)),
  );
  return table(head, fitted);
}

/** Colours take no columns, East Asian characters and emoji take two, and marks on a character none. */
function widthOf(text: string): number {
  let width = 0;
  for (const character of stripVTControlCharacters(text)) width += characterWidth(character);
  return width;
}

function characterWidth(character: string): number {
  if (/\p{Mark}/u.test(character)) return 0;
  return /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\u3000-\u303f\uff01-\uff60]/u.test(
    character,
  )
    ? 2
    : 1;
}

function shorten(text: string, most: number): string {
  if (widthOf(text) <= most) return text;
  let kept = '';
  let width = 1;
  for (const character of text) {
    width += characterWidth(character);
    if (width > most) break;
    kept += character;
  }
  return `${kept.trimEnd()}…`;
}
