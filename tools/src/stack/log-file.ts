import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

/** Of the end of a log so much is looked at. */
const tailBytes = 64 * 1024;

/** The last lines of a file; nothing when there is none. */
export function lastLinesOf(file: string, number: number): string {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch {
    return '';
  }
  try {
    const { size } = fstatSync(descriptor);
    const buffer = Buffer.alloc(Math.min(size, tailBytes));
    const length = readSync(descriptor, buffer, 0, buffer.length, Math.max(0, size - buffer.length));
    return buffer.subarray(0, length).toString('utf8').trimEnd().split('\n').slice(-number).join('\n');
  } finally {
    closeSync(descriptor);
  }
}
