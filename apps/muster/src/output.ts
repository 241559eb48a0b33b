import { styleText } from 'node:util';
import { MusterError } from '@muster/product-groups';
import Table from 'cli-table3';

/** Exit codes of every muster command. */
export const exitCodes = { success: 0, failure: 1, usage: 2, interrupted: 130 } as const;

type Style = Parameters<typeof styleText>[0];

/** Colours text when the stream is a terminal and nothing forbids it (`NO_COLOR`, `TERM=dumb`). */
export function colour(style: Style, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(style, text, { stream });
}

/** Data goes to standard output. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Talk goes to standard error. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

export function printJson(value: unknown): void {
  print(JSON.stringify(value, null, 2));
}

/** A table without lines between the rows, as wide as its content. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const none = { top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '' } as const;
  const rest = { 'bottom-left': '', 'bottom-right': '', left: '', 'left-mid': '', mid: '', 'mid-mid': '' } as const;
  const lines = new Table({
    head: head.map((text) => colour('bold', text)),
    chars: { ...none, ...rest, right: '', 'right-mid': '', middle: '  ' },
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  lines.push(...rows.map((row) => [...row]));
  return lines
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** An expected error is one line with its remedy; any other one shows where it comes from. */
export function sayError(error: unknown): void {
  const label = colour('red', 'error', process.stderr);
  if (error instanceof MusterError) say(`${label} ${error.code}: ${error.message} ${error.remedy}`);
  else say(`${label} unexpected: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
}

/** A time as people read it: date and minute in UTC. */
export function formatTime(unixMs: number): string {
  return unixMs === 0 ? '' : `${new Date(unixMs).toISOString().slice(0, 16).replace('T', ' ')}Z`;
}
