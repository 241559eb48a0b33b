import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { CheckerOptions, CheckReport } from './checker.ts';

/** Beside the patience, the time that reading and comparing may take. */
const workMs = 30_000;

/** The checker (main.ts of this folder) in its own process: it gets addresses and files, and nothing of the campaign. */
export class CheckerProcess {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #lines: Interface;
  readonly #longestMs: number;
  /** Rejects when the process has ended. */
  readonly #ended: Promise<never>;
  #errors = '';

  constructor({ database, nats, answersFile, patienceMs }: CheckerOptions) {
    const parameters = ['--database', database, '--nats', nats, '--answers', answersFile];
    const program = fileURLToPath(new URL('main.ts', import.meta.url));
    this.#child = spawn(process.execPath, [
      program,
      ...parameters,
      ...['--patience', String(patienceMs / 1_000), '--follow'],
    ]);
    this.#child.stdin.on('error', () => undefined); // The report that does not come says it.
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#errors += text;
    });
    this.#ended = new Promise((_, reject) => this.#child.once('exit', () => reject(new Error('it has ended'))));
    this.#ended.catch(() => undefined); // Of interest only to a check that waits.
    this.#lines = createInterface({ input: this.#child.stdout });
    // Reading and comparing the log; it waits for the stream up to the patience, and for PostgreSQL up to as much.
    this.#longestMs = 2 * patienceMs + workMs;
  }

  /**
   * Lets it check what is new.
   *
   * @param kind `final` when the clients have ended.
   * @throws when it has no report in time.
   */
  async check(kind: 'check' | 'final'): Promise<CheckReport> {
    const signal = AbortSignal.timeout(this.#longestMs);
    const line = once(this.#lines, 'line', { signal });
    this.#child.stdin.write(`${kind}\n`);
    try {
      const [text] = (await Promise.race([line, this.#ended])) as [string];
      return JSON.parse(text);
    } catch (cause) {
      throw new Error(`The checker has not reported. ${this.#errors}`, { cause });
    }
  }

  /** Ends it. */
  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await ended;
  }
}
