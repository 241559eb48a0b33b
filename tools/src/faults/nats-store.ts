import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const pieceBytes = 1024 * 1024;
const smallPieceBytes = 4096;

/**
 * Where JetStream keeps its files: a small file system of its own where this user may mount one (root on Linux), which
 * can then be filled to the last byte; otherwise a plain directory, whose disk is not ours to fill.
 */
export class NatsStore {
  readonly directory: string;
  /** Whether it is a file system of its own. */
  readonly isMounted: boolean;

  private constructor(directory: string, isMounted: boolean) {
    this.directory = directory;
    this.isMounted = isMounted;
  }

  /** @param bytes the size of the file system. */
  static open(directory: string, bytes: number): NatsStore {
    mkdirSync(directory, { recursive: true });
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory], { stdio: 'ignore' });
    return new NatsStore(directory, mounted.status === 0);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.directory);
    return bavail * bsize;
  }

  /** Fills the file system until nothing more can be written. @returns how many bytes that took. */
  fill(): number {
    if (!this.isMounted) throw new Error('Only a file system of its own is filled.');
    const file = openSync(this.#filler, 'a');
    let written = 0;
    try {
      for (const bytes of [pieceBytes, smallPieceBytes]) written += writeUntilFull(file, Buffer.alloc(bytes));
    } finally {
      closeSync(file);
    }
    return written;
  }

  /** Frees what `fill` took. */
  free(): void {
    rmSync(this.#filler, { force: true });
  }

  /** Takes the file system away; nobody may have files open on it. */
  close(): void {
    if (this.isMounted) spawnSync('umount', ['--lazy', this.directory], { stdio: 'ignore' });
  }

  get #filler(): string {
    return join(this.directory, 'filler');
  }
}

function writeUntilFull(file: number, piece: Buffer): number {
  let written = 0;
  for (;;) {
    try {
      written += writeSync(file, piece);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      return written;
    }
  }
}
