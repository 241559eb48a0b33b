import { styleText } from 'node:util';
import { MusterError } from '@muster/product-groups/errors';

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
