import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished } from 'vitest';

/** The entry of an app, for tests that run the real one. */
export function mainOf(app: string): string {
  return fileURLToPath(new URL(`../../../apps/${app}/src/main.ts`, import.meta.url));
}

/** A process of the Node that runs the test. It sees nothing of the test's environment but the path. */
export function startNode(script: string, parameters: readonly string[], environment: Record<string, string> = {}) {
  const child = spawn(process.execPath, ['--no-warnings', script, ...parameters], {
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const written = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].on('data', (chunk) => {
      written[stream] += chunk;
    });
  }
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  return {
    written,
    /** The exit code, or the signal that ended it. */
    ended,
    signal: (name: NodeJS.Signals) => child.kill(name),
    /** Waits until its log holds a message. */
    logs: (message: string) =>
      expect.poll(() => written.stderr, { timeout: 60_000, interval: 10 }).toContain(`"msg":"${message}"`),
  };
}

/** Runs a process to its end. */
export async function runNode(script: string, parameters: readonly string[], environment?: Record<string, string>) {
  const process = startNode(script, parameters, environment);
  const code = await process.ended;
  return { code, ...process.written };
}
