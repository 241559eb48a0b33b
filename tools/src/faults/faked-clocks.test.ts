import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, expect, it } from 'vitest';
import { requireEngines } from '../requirements.ts';
import { FakedClocks } from './faked-clocks.ts';

const hourMs = 60 * 60 * 1000;
const program = `
  process.stdin.on('data', () => process.stdout.write(JSON.stringify([Date.now(), performance.now()]) + '\\n'));
`;
let directory = '';
let child: ChildProcess | undefined;

afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

it('sets the wall clock of a running Node process and leaves its monotonic clock alone', async () => {
  const { faketime } = await requireEngines(['faketime']);
  directory = mkdtempSync(join(tmpdir(), 'muster-clocks-'));
  const clocks = new FakedClocks(faketime, directory);
  const env = { PATH: process.env.PATH, TZ: 'UTC', ...clocks.environmentOf('one') };
  const started = spawn(process.execPath, ['-e', program], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  child = started;
  const lines = createInterface({ input: started.stdout })[Symbol.asyncIterator]();
  const ask = async (): Promise<{ aheadMs: number; wallMs: number; monotonicMs: number }> => {
    started.stdin.write('?');
    const [wallMs, monotonicMs] = JSON.parse(String((await lines.next()).value));
    return { aheadMs: wallMs - Date.now(), wallMs, monotonicMs };
  };

  const first = await ask();
  expect(Math.abs(first.aheadMs)).toBeLessThan(2_000);
  expect(clocks.isInForce(started.pid ?? 0)).toBe(true);
  clocks.set('one', { offsetSeconds: 3_600 });
  expect((await ask()).aheadMs / hourMs).toBeCloseTo(1, 2);
  clocks.set('one', { offsetSeconds: -3_600 });
  expect((await ask()).aheadMs / hourMs).toBeCloseTo(-1, 2);
  clocks.set('one', { at: '2038-01-19 03:14:00' });
  expect((await ask()).wallMs - Date.parse('2038-01-19T03:14:00Z')).toBeLessThan(10_000);
  clocks.set('one', { offsetSeconds: 0 });
  const last = await ask();
  expect(Math.abs(last.aheadMs)).toBeLessThan(2_000);
  expect(last.monotonicMs - first.monotonicMs).toBeGreaterThan(0);
  expect(last.monotonicMs - first.monotonicMs).toBeLessThan(60_000);
});
