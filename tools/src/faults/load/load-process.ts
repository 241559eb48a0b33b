import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { LoadNews, LoadOrder } from './load-messages.ts';

/** What an ended load has done. */
export interface LoadEnd {
  readonly attempts: number;
  /** Connections that were reset while nothing was asked over them, by gateway. */
  readonly idleResets: ReadonlyMap<string, number>;
}

/** After the word to stop, a client still waits for its connections (2 s) and answers (5 s). */
const stopMs = 15_000;

/** The load in its own process, from its start until it is told to stop. */
export class LoadProcess {
  readonly #child: ChildProcess;
  readonly #idleResets = new Map<string, number>();
  #attempts: number | undefined;

  constructor(order: LoadOrder) {
    this.#child = fork(fileURLToPath(new URL('main.ts', import.meta.url)), {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child.on('message', (news: LoadNews) => {
      if (news.kind === 'done') this.#attempts = news.attempts;
      else this.#idleResets.set(news.gateway, (this.#idleResets.get(news.gateway) ?? 0) + 1);
    });
    this.#child.send(order);
  }

  /** Whether it still makes load. */
  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * Tells it to stop, and waits until every attempt has its outcome and the process has ended.
   *
   * @throws when it ended before or does not end in time.
   */
  async stop(): Promise<LoadEnd> {
    if (!this.running) throw new Error('The process that makes the load has ended by itself.');
    const ended = once(this.#child, 'exit', { signal: AbortSignal.timeout(stopMs) });
    this.#child.send('stop');
    await ended;
    if (this.#attempts === undefined) throw new Error('The process that makes the load ended without a word.');
    return { attempts: this.#attempts, idleResets: this.#idleResets };
  }

  /** Ends it at once. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
