import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, vi } from 'vitest';

// An embedded database takes seconds to make, and a hundred machines take some to ask.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

const steps: (() => unknown)[] = [];

afterAll(async () => {
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) await step();
});

/** Runs a step when the tests of the file are over, the last one first. */
export function atTheEnd(step: () => unknown): void {
  steps.push(step);
}

/** A directory of the test file's own, removed at its end. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'muster-test-'));
  atTheEnd(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Waits until something holds; bounded, so that what never comes is a failure and not a hang. */
export function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  return vi.waitFor(
    async () => {
      if (!(await condition())) throw new Error(`waited in vain: ${what}`);
    },
    { timeout: 20_000, interval: 5 },
  );
}

/** Prints what was measured, for whoever reads the log of a run. */
export function report(...figures: readonly string[]): void {
  process.stdout.write(`${figures.join('; ')}\n`);
}
