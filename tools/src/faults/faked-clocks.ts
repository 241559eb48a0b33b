import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Where a clock is set to: an offset in seconds from the true time, or a moment from which on it runs. */
export type ClockSetting = { readonly offsetSeconds: number } | { readonly at: string };

/**
 * Wall clocks of single processes that can be set while they run, by libfaketime. As on a real machine whose clock is
 * set, the monotonic clock goes on as before.
 *
 * @see https://github.com/wolfcw/libfaketime
 */
export class FakedClocks {
  readonly #library: string;
  readonly #directory: string;

  /** @param library the file libfaketime.so.1. */
  constructor(library: string, directory: string) {
    this.#library = library;
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  /** What a process has to be started with. */
  environmentOf(name: string): Readonly<Record<string, string>> {
    this.set(name, { offsetSeconds: 0 });
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_TIMESTAMP_FILE: this.#fileOf(name),
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      FAKETIME_NO_CACHE: '1',
    };
  }

  /** Sets the clock of a process at once. Zone-less moments, as in `2038-01-19 03:14:00`, are of the local zone. */
  set(name: string, setting: ClockSetting): void {
    const { offsetSeconds } = setting as { readonly offsetSeconds?: number };
    const sign = (offsetSeconds ?? 0) < 0 ? '-' : '+';
    const text =
      offsetSeconds === undefined ? `@${(setting as { at: string }).at}` : `${sign}${Math.abs(offsetSeconds)}`;
    writeFileSync(this.#fileOf(name), `${text}\n`);
  }

  /** Whether a running process has its clock from here. */
  isInForce(pid: number): boolean {
    return readFileSync(`/proc/${pid}/maps`, 'latin1').includes('libfaketime');
  }

  #fileOf(name: string): string {
    return join(this.#directory, name);
  }
}
