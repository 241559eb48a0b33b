import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { environmentWith } from './environment.ts';
import { Guard } from './guard.ts';
import { httpProbe } from './http-probe.ts';
import { ManagedProcess } from './managed-process.ts';
import { freePort, loopback } from './ports.ts';
import { lives, stateOf } from './process-tree.ts';

const directory = mkdtempSync(join(tmpdir(), 'muster-managed-'));
let guard: Guard;

beforeAll(() => {
  guard = new Guard();
});
afterAll(async () => {
  await guard.end();
  rmSync(directory, { recursive: true });
});

/** Serves HTTP, tells the pid of a child in a session of its own, and ends by SIGTERM with code 3. */
const server = `
  const { spawn } = require('node:child_process');
  const child = spawn('sleep', ['600'], { detached: true, stdio: 'ignore' });
  process.on('SIGTERM', () => { child.kill('SIGKILL'); process.exit(3); });
  require('node:http').createServer((_, response) => response.end(String(child.pid))).listen(process.env.PORT, '${loopback}');
`;

test('a process that is killed is started again at the same address', async () => {
  const served = await serve();
  const before = served.process.pid;
  const end = await served.process.kill();
  expect(end).toMatchObject({ signal: 'SIGKILL', code: undefined, asked: true });
  await served.process.waitUntilReady();
  expect(served.process.pid).not.toBe(before);
  expect(served.process.runs.map((run) => run.end?.signal)).toEqual(['SIGKILL', undefined]);
});

test('a crash that nobody asked for is started again and can be told from a kill', async () => {
  const { process: managed } = await serve();
  process.kill(managed.pid ?? 0, 'SIGKILL');
  await vi.waitFor(() => expect(managed.runs).toHaveLength(2), { timeout: 10_000 });
  expect(managed.runs[0]?.end?.asked).toBe(false);
  await managed.waitUntilReady();
});

test('a process that is told to stay down does so until it is started', async () => {
  const { process: managed } = await serve();
  await managed.kill({ stayDown: true });
  expect(managed.pid).toBeUndefined();
  await expect(managed.waitUntilReady(5_000)).rejects.toThrow(/^server is down \(it ended by SIGKILL\)/);
  await managed.start();
  expect(managed.runs).toHaveLength(2);
});

test('a kill takes the children along, sessions of their own or not', async () => {
  const { process: managed, child } = await serve();
  const pid = await child();
  expect(lives(pid)).toBe(true);
  await managed.kill();
  expect(lives(pid)).toBe(false);
});

test('a paused process and its children stand still until they are resumed', async () => {
  const { process: managed, child } = await serve();
  const pid = await child();
  managed.pause();
  expect(managed.paused).toBe(true);
  expect(await managed.isReady()).toBe(false);
  await vi.waitFor(() => expect(stateOf(pid)).toBe('T'));
  managed.resume();
  await vi.waitFor(() => expect(stateOf(pid)).not.toBe('T'));
  await managed.waitUntilReady();
});

test('a paused process that is terminated ends in order, and stays down', async () => {
  const { process: managed } = await serve();
  managed.pause();
  expect(await managed.terminate()).toMatchObject({ code: 3, signal: undefined, asked: true });
  expect(managed.pid).toBeUndefined();
  expect(managed.paused).toBe(false);
});

test('a process that does not end in time is killed, which shows', async () => {
  const { process: managed } = await serve(server.replace('process.exit(3)', ''));
  expect(await managed.terminate(100)).toMatchObject({ signal: 'SIGKILL', code: undefined });
});

test('a process that cannot start says why at once, when starting it again cannot help', async () => {
  const wrong = `console.error('the setting is wrong'); process.exit(2);`;
  await expect(serve(wrong)).rejects.toThrow(
    /^server is down \(it ended with code 2\) and is not started again.*the setting is wrong$/s,
  );
});

test('a process without a supervisor stays down when it crashes', async () => {
  const { process: managed } = await serve(server, false);
  await managed.kill();
  await expect(managed.waitUntilReady(5_000)).rejects.toThrow('server is down');
  expect(managed.runs).toHaveLength(1);
});

async function serve(script = server, supervise = true) {
  const port = await freePort();
  const managed = new ManagedProcess({
    name: 'server',
    kind: 'counting',
    address: { host: loopback, port },
    managementPort: port,
    logFile: join(directory, `${port}.log`),
    command: {
      program: process.execPath,
      parameters: ['-e', script],
      environment: environmentWith({ PORT: String(port) }),
    },
    probe: httpProbe(port, '/'),
    endSignal: 'SIGTERM',
    hopelessCodes: [2],
    supervise,
    guard,
  });
  onTestFinished(() => managed.close());
  await managed.start();
  const child = async () => Number(await (await fetch(`http://${loopback}:${port}/`)).text());
  return { process: managed, child };
}
