import { type ChildProcess, type ForkOptions, fork } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Answer } from './messages.ts';

/** From SIGTERM to SIGKILL. */
const stopMs = 15_000;
const killMs = 2_000;

/** What the benchmark leaves behind unless it is cleared away: child processes and a temporary directory. */
export class Resources {
  readonly directory = mkdtempSync(join(tmpdir(), 'muster-bench-'));
  readonly #children = new Set<ChildProcess>();
  #closed = false;

  /** Takes care that a child ends; at once when everything has been cleared away already. */
  adopt(child: ChildProcess): void {
    if (this.#closed) child.kill('SIGKILL');
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
  }

  /** Asks a child to end, and ends it when it does not. */
  async stop(child: ChildProcess): Promise<void> {
    child.kill('SIGTERM');
    if (await ended(child, stopMs)) return;
    child.kill('SIGKILL');
    await ended(child, killMs);
  }

  /** Ends every child at once and removes the directory. */
  async close(): Promise<void> {
    this.#closed = true;
    const children = [...this.#children];
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(children.map((child) => ended(child, killMs)));
    rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A child process that answers one message after the other. */
export class Helper<Order extends object, Value> {
  readonly #child: ChildProcess;

  /** @param file beside this one. */
  constructor(file: string, resources: Resources) {
    const options: ForkOptions = { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] };
    this.#child = fork(fileURLToPath(new URL(file, import.meta.url)), options);
    resources.adopt(this.#child);
  }

  /** Rejects when the child says so, ends, or does not answer in time. */
  ask(order: Order, longestMs: number): Promise<Value> {
    return new Promise((resolve, reject) => {
      const finish = (act: () => void) => {
        clearTimeout(timer);
        this.#child.off('message', onMessage).off('exit', onExit);
        act();
      };
      const refuse = (reason: string) => finish(() => reject(new Error(reason)));
      const onMessage = (answer: Answer<Value>) =>
        answer.ok ? finish(() => resolve(answer.value)) : refuse(answer.message);
      const onExit = () => refuse('a helper process of the benchmark ended before its answer');
      const timer = setTimeout(() => refuse('a helper process of the benchmark did not answer in time'), longestMs);
      this.#child.on('message', onMessage).on('exit', onExit);
      this.#child.send(order);
    });
  }
}

/** Whether a child ends within a time. */
function ended(child: ChildProcess, longestMs: number): Promise<boolean> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(true);
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), longestMs);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
