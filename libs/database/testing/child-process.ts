import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** A process of a test's own that tells what it does by lines. */
export interface TestProcess {
  readonly pid: number;
  /** Waits for the next line; undefined when the process has ended. */
  nextLine(): Promise<string | undefined>;
  /** Ends the process by SIGKILL and waits for its end. What it had written still comes from `nextLine`. */
  kill(): Promise<void>;
}

/** Starts a script of this directory by the Node that runs the test. */
export function startProcess(script: string, ...parameters: string[]): TestProcess {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path, ...parameters], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    pid: child.pid ?? 0,
    async nextLine() {
      const next = await lines.next();
      return next.done ? undefined : next.value;
    },
    async kill() {
      if (hasEnded(child)) return;
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
