import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, onTestFinished, test, vi } from 'vitest';
import type { stackDocument } from './describe-stack.ts';
import { help } from './options.ts';
import { lives } from './process-tree.ts';

type Document = ReturnType<typeof stackDocument>;

const program = fileURLToPath(new URL('main.ts', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'muster-stack-command-'));
chmodSync(directory, 0o711);

afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('Ctrl-C stops everything in order, and the directory serves the next run', async () => {
  const kept = join(directory, 'kept');
  const first = run('--json', '--gateway-port', '0', '--directory', kept);
  const { processes, vendorKeyFile } = await first.ready();
  expect(processes.every(({ pid }) => lives(pid ?? 0))).toBe(true);
  first.signal('SIGINT');
  expect(await first.ended).toMatchObject({ code: 0 });
  expect(processes.filter(({ pid }) => lives(pid ?? 0))).toEqual([]);
  expect(existsSync(vendorKeyFile)).toBe(true);

  const second = run(
    '--gateway-port',
    '0',
    '--directory',
    kept,
    '--seconds',
    '1',
    '--countings',
    '1',
    '--gateways',
    '1',
  );
  const { code, stdout } = await second.ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(
    /^SERVICE +REPLICA +PID +ADDRESS +MANAGEMENT +LOG\npostgresql +postgresql +\d+ +127\.0\.0\.1:\d+/,
  );
  expect(stdout).toContain(` --vendor-key ${vendorKeyFile}\n`);
});

test('kill -9 of the command takes everything along', async () => {
  const stack = run('--json', '--gateway-port', '0');
  const ready = await stack.ready();
  stack.signal('SIGKILL');
  await vi.waitFor(
    () => {
      expect(ready.processes.filter(({ pid }) => lives(pid ?? 0))).toEqual([]);
      expect(existsSync(ready.directory)).toBe(false);
    },
    { timeout: 20_000, interval: 50 },
  );
});

test('a port that is taken is named, and ends with 1', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void taken.close());
  await vi.waitFor(() => expect(taken.address()).not.toBeNull());
  const { port } = taken.address() as { port: number };
  const { code, stderr } = await run('--gateway-port', String(port)).ended;
  expect(code).toBe(1);
  expect(stderr).toBe(
    `PORT_IN_USE: Port ${port} on 127.0.0.1 (gateway) is in use by another program. Stop what uses it, or choose another port for gateway.\n`,
  );
});

test('wrong usage ends with 2 and points to the help, which prints and ends with 0', async () => {
  const wrong = await run('--gateways', 'many').ended;
  expect([wrong.code, wrong.stderr]).toEqual([
    2,
    '--gateways is a whole number from 1 to 16, not many. Run it with --help for its options.\n',
  ]);
  expect(await run('--help').ended).toMatchObject({ code: 0, stdout: help });
});

/** Runs the command. It does not outlive the test. */
function run(...parameters: string[]) {
  const child = spawn(process.execPath, [program, ...parameters], { stdio: ['ignore', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  return {
    ended,
    signal: (name: NodeJS.Signals) => child.kill(name),
    /** What `--json` prints when everything is ready. */
    async ready(): Promise<Document> {
      await vi.waitFor(() => expect(stdout.endsWith('\n}\n'), stderr).toBe(true), { timeout: 60_000, interval: 50 });
      return JSON.parse(stdout);
    },
  };
}
