import { createWriteStream, renameSync, rmSync, statSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { MusterError } from '@muster/product-groups';

/** Where an export is written. */
export interface ExportOutput {
  readonly stream: Writable;
  /** Whether the stream ends with the export; standard output stays open. */
  readonly ends: boolean;
  /** Makes the file whole under its name. */
  finish(): Promise<void>;
  /** Leaves nothing behind. */
  discard(): void;
}

/**
 * Opens a file, or standard output for `-`. A file has its name only once it is whole and on the disk: until then it is
 * `FILE.partial`, and a file of that name from before stays what it was.
 *
 * @throws MusterError `INPUT_INVALID` when standard output is a terminal.
 */
export function openExportOutput(place: string): ExportOutput {
  if (place === '-') return standardOutput();
  // A pipe or a device is written in place.
  const partial = isRegular(place) ? `${place}.partial` : place;
  const stream = createWriteStream(partial, { mode: 0o600, flush: partial !== place });
  // It may fail before anything is written; whoever writes learns it then.
  stream.on('error', () => undefined);
  return {
    stream,
    ends: true,
    async finish() {
      await finished(stream);
      if (partial !== place) renameSync(partial, place);
    },
    discard() {
      stream.destroy();
      if (partial !== place) rmSync(partial, { force: true });
    },
  };
}

/** What could not be written, as an error with a remedy. */
export function outputFailed(place: string, cause: unknown): MusterError {
  const name = place === '-' ? 'standard output' : place;
  return new MusterError({
    code: 'OUTPUT_UNWRITABLE',
    message: `The export could not be written to ${name}: ${(cause as Error).message}.`,
    cause,
  });
}

function standardOutput(): ExportOutput {
  if (process.stdout.isTTY) {
    throw new MusterError({
      code: 'INPUT_INVALID',
      message: 'The export is compressed data and not meant for a terminal.',
      remedy: 'Name a file by --output FILE, or redirect standard output.',
    });
  }
  // Half an export is none: what becomes of the output is the export's own affair, also when its reader has gone.
  process.stdout.removeAllListeners('error');
  return { stream: process.stdout, ends: false, finish: async () => undefined, discard: () => undefined };
}

/** Also what is not there yet will be a regular file. */
function isRegular(place: string): boolean {
  return statSync(place, { throwIfNoEntry: false })?.isFile() ?? true;
}
