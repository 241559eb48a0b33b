import { type ChildProcess, spawn } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ActivationConnection } from '@muster/client';
import { publicKeyFromJwk, type VendorKeys, vendorKeys } from '@muster/trust';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startSite } from '../src/site.ts';

const appsDirectory = fileURLToPath(new URL('../../', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'muster-apart-'));
const running = new Map<string, ChildProcess>();
const ports = { counting: 0, policy: 0, gateway: 0 };
let vendors: VendorKeys;

/** One data directory of `muster serve` becomes the databases of two services. */
beforeAll(async () => {
  const site = await startSite({ dataDirectory: join(directory, 'site'), activationPort: 0, demo: true });
  vendors = vendorKeys(publicKeyFromJwk(site.demoVendorKey ?? ''));
  await site.stop();
  for (const name of ['counting', 'policy'])
    cpSync(join(directory, 'site'), join(directory, name), { recursive: true });
  for (const name of ['counting', 'policy', 'gateway'] as const) ports[name] = await freePort();
  await startCounting();
  await startPolicy();
  await startGateway();
}, 60_000);

afterAll(() => {
  for (const child of running.values()) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
});

test('the services as processes of their own count and activate over gRPC', async () => {
  const codes: string[] = [];
  for (let n = 1; n <= 5; n += 1) codes.push(await ask(n));
  expect(codes).toEqual([...Array(4).fill('COUNT_INSUFFICIENT'), 'GRANTED']);
});

test('a gateway answers UNAVAILABLE while counting is away, and works again when it is back', async () => {
  await end('counting', 'SIGKILL');
  await expect(ask(5)).rejects.toMatchObject({ code: 'UNAVAILABLE', retryAfterMs: expect.any(Number) });
  await startCounting();
  await expect.poll(() => ask(5).catch((error) => error.code), { timeout: 20_000 }).toBe('GRANTED');
});

test('a gateway keeps activating while policy is away', async () => {
  await end('policy', 'SIGKILL');
  expect(await ask(5)).toBe('GRANTED');
});

test('each service drains and ends with 0 when it is told to', async () => {
  expect(await end('gateway', 'SIGTERM')).toBe(0);
  expect(await end('counting', 'SIGTERM')).toBe(0);
  await startPolicy();
  expect(await end('policy', 'SIGTERM')).toBe(0);
});

test('a service with wrong settings says all that is wrong at once and ends with 2', async () => {
  const child = spawnService('licensing-policy', { MUSTER_POLICY_LISTEN: 'nowhere', MUSTER_LOG_LEVEL: 'loud' });
  const [text, code] = await Promise.all([readAll(child), ended(child)]);
  expect(code).toBe(2);
  expect(text).toMatch(
    /SETTING_INVALID.*MUSTER_POLICY_DATABASE.*MUSTER_POLICY_LISTEN.*MUSTER_POLICY_HOST_KEY_SECRET_FILE.*MUSTER_LOG_LEVEL/,
  );
});

async function ask(n: number): Promise<string> {
  const connection = await ActivationConnection.open({ host: '127.0.0.1', port: ports.gateway, vendorKeys: vendors });
  try {
    const activation = await connection.activate({
      application: 'windows',
      edition: 'server-2008-standard',
      cmid: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
      machineClass: 'physical',
      machineName: `SERVER-${n}`,
      licenceStatus: 'unlicensed',
      minutesLeft: 0,
      clientVersion: 'test/1',
    });
    return activation.code;
  } finally {
    connection.close();
  }
}

function startCounting(): Promise<void> {
  return start('counting', 'counting', {
    MUSTER_COUNTING_DATABASE: join(directory, 'counting'),
    MUSTER_COUNTING_LISTEN: `127.0.0.1:${ports.counting}`,
  });
}

function startPolicy(): Promise<void> {
  return start('policy', 'licensing-policy', {
    MUSTER_POLICY_DATABASE: join(directory, 'policy'),
    MUSTER_POLICY_LISTEN: `127.0.0.1:${ports.policy}`,
    MUSTER_POLICY_HOST_KEY_SECRET_FILE: join(directory, 'site', 'host-key.secret'),
  });
}

function startGateway(): Promise<void> {
  return start('gateway', 'protocol-gateway', {
    MUSTER_GATEWAY_COUNTING: `127.0.0.1:${ports.counting}`,
    MUSTER_GATEWAY_POLICY: `127.0.0.1:${ports.policy}`,
    MUSTER_GATEWAY_ADDRESS: '127.0.0.1',
    MUSTER_GATEWAY_PORT: String(ports.gateway),
  });
}

async function start(name: string, app: string, settings: Record<string, string>): Promise<void> {
  const child = spawnService(app, settings);
  running.set(name, child);
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stderr ?? process.stdin })) {
    lines.push(line);
    if (line.includes('"msg":"ready"')) return;
  }
  throw new Error(`${app} ended before it was ready: ${lines.join('\n')}`);
}

function spawnService(app: string, settings: Record<string, string>): ChildProcess {
  const main = join(appsDirectory, app, 'src/main.ts');
  return spawn(process.execPath, [main], {
    env: { PATH: process.env.PATH, MUSTER_TLS: 'off', MUSTER_MANAGEMENT_LISTEN: '127.0.0.1:0', ...settings },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
}

async function end(name: string, signal: NodeJS.Signals): Promise<number | null> {
  const child = running.get(name);
  if (child === undefined) throw new Error(`${name} does not run`);
  running.delete(name);
  const code = ended(child);
  child.kill(signal);
  return code;
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('close', (code) => resolve(code)));
}

async function readAll(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of child.stderr ?? []) text += chunk;
  return text;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the probe has no port');
  return address.port;
}
