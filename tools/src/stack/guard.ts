import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

/** What the guard is told, a JSON line each. */
export type GuardOrder =
  | { readonly do: 'watch'; readonly pid: number }
  | { readonly do: 'forget'; readonly pid: number }
  | { readonly do: 'remove-directory'; readonly directory: string }
  | { readonly do: 'keep-directory' };

const program = fileURLToPath(new URL('guard-main.ts', import.meta.url));

/**
 * A small process beside the stack that kills its processes and removes its temporary directory when the stack's own
 * process is gone, however it ended (kill -9, out of memory): it reads from a pipe that the kernel closes then.
 */
export class Guard {
  readonly #child: ChildProcessByStdio<Writable, null, null>;

  constructor() {
    // In a session of its own: Ctrl-C on a terminal, or a signal to the whole group, does not reach it.
    this.#child = spawn(process.execPath, [program], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
    this.#child.on('error', () => undefined);
    this.#child.stdin.on('error', () => undefined);
    this.#child.unref();
  }

  watch(pid: number): void {
    this.#order({ do: 'watch', pid });
  }

  forget(pid: number): void {
    this.#order({ do: 'forget', pid });
  }

  removeDirectory(directory: string): void {
    this.#order({ do: 'remove-directory', directory });
  }

  keepDirectory(): void {
    this.#order({ do: 'keep-directory' });
  }

  /** Ends the guard: it kills what it still watches and removes the directory, if it was told to. */
  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined) return;
    const ended = once(this.#child, 'exit');
    this.#child.ref();
    this.#child.stdin.end();
    await ended;
  }

  #order(order: GuardOrder): void {
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
  }
}
