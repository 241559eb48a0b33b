import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ActivationConnection } from '@muster/client';
import { builtInCatalogues, parseCatalogue } from '@muster/product-groups';
import { countRules } from '@muster/protocol-gateway';
import { publicKeyFromJwk, vendorKeys } from '@muster/trust';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { lives } from './process-tree.ts';
import type { Route, Stack, StackProcess } from './stack.ts';
import { startStack } from './start-stack.ts';

const directory = mkdtempSync(join(tmpdir(), 'muster-stack-test-'));
// PostgreSQL may run as another user, who has to get through.
chmodSync(directory, 0o711);
const routes: Route[] = [];
let stack: Stack;
let machines = 0;

beforeAll(async () => {
  stack = await startStack({ reroute: recordRoute });
}, 120_000);
afterAll(async () => {
  await stack?.kill();
  rmSync(directory, { recursive: true });
}, 120_000);

test('every replica is a process of its own that is ready', async () => {
  expect(stack.processes.map(({ name }) => name)).toEqual([
    ...['postgresql', 'nats', 'policy-1', 'counting-1', 'counting-2', 'gateway-1', 'gateway-2'],
  ]);
  expect(new Set(stack.processes.map(({ pid }) => pid)).size).toBe(7);
  for (const each of stack.processes) expect(await each.isReady()).toBe(true);
});

test('25 machines are refused or granted by their number, whichever gateway they ask', async () => {
  const codes: string[] = [];
  for (let n = 0; n < 25; n += 1) codes.push((await ask(stack.gateways[n % 2])).code);
  expect(codes).toEqual([...Array(24).fill('COUNT_INSUFFICIENT'), 'GRANTED']);
  for (const gateway of stack.gateways) {
    expect(await ask(gateway, 1)).toMatchObject({ code: 'GRANTED', count: 25, threshold: 25 });
  }
});

test('both countings tell the same count', async () => {
  for (const index of [0, 1]) {
    const { counts } = await stack.administrator.counting(index).getCounts({ rules: windowsRules() });
    expect(counts.map(({ application, machinesCounted }) => [application, machinesCounted])).toEqual([['windows', 25]]);
  }
});

test('the events of all activations arrive in JetStream', async () => {
  const connection = await connect({ servers: stack.nats.url });
  try {
    const manager = await jetstreamManager(connection);
    await vi.waitFor(
      async () => {
        const { state } = await manager.streams.info('MUSTER', { subjects_filter: 'muster.v1.activation.>' });
        const numbers = Object.values(state.subjects ?? {});
        expect(numbers.reduce((sum, number) => sum + number, 0)).toBe(27);
      },
      { timeout: 20_000, interval: 50 },
    );
  } finally {
    await connection.close();
  }
});

test('a caller of a test can be put between any two parts', () => {
  expect(routes.map(({ from, to, link }) => `${link}: ${from} to ${to}`).sort()).toEqual([
    'counting->nats: counting-1 to nats',
    'counting->nats: counting-2 to nats',
    'counting->postgresql: counting-1 to postgresql',
    'counting->postgresql: counting-2 to postgresql',
    'gateway->counting: gateway-1 to counting-1',
    'gateway->counting: gateway-1 to counting-2',
    'gateway->counting: gateway-2 to counting-1',
    'gateway->counting: gateway-2 to counting-2',
    'gateway->nats: gateway-1 to nats',
    'gateway->nats: gateway-2 to nats',
    'gateway->policy: gateway-1 to policy-1',
    'gateway->policy: gateway-2 to policy-1',
    'policy->nats: policy-1 to nats',
    'policy->postgresql: policy-1 to postgresql',
  ]);
});

describe('after kill -9', () => {
  test.each(['counting-1', 'gateway-1', 'policy-1', 'nats'])('%s comes back by itself', async (name) => {
    const killed = stack.process(name);
    const before = killed.pid;
    await killed.kill();
    await killed.waitUntilReady();
    expect(killed.pid).not.toBe(before);
  });

  test.each([
    ['and its backends', false],
    ['and its backends are left to notice', true],
  ])('of the postmaster %s, PostgreSQL recovers with everything that was committed', async (_, childrenLive) => {
    await stack.postgresql.kill({ childrenLive });
    await stack.postgresql.waitUntilReady();
    await vi.waitFor(
      async () => expect(await ask(stack.gateways[0], 1)).toMatchObject({ code: 'GRANTED', count: 25 }),
      {
        timeout: 20_000,
        interval: 100,
      },
    );
  });
});

test('a stack that is stopped leaves no process, no port and no directory, and its services ended in order', async () => {
  const pids = stack.processes.map(({ pid }) => pid ?? 0);
  await stack.stop();
  expect(pids.filter(lives)).toEqual([]);
  for (const { address } of stack.processes) await expectFree(address.port);
  expect(existsSync(stack.directory)).toBe(false);
  expect(stack.processes.map(({ name, runs }) => [name, runs.at(-1)?.end?.code])).toEqual(
    stack.processes.map(({ name }) => [name, name === 'nats' ? expect.any(Number) : 0]),
  );
});

describe('a start that fails midway', () => {
  test('leaves nothing behind, and says which part failed and why', async () => {
    const kept = join(directory, 'fails');
    const wrong = { 'protocol-gateway': { MUSTER_GATEWAY_PORT: 'nowhere' } };
    const start = startStack({ directory: kept, environment: wrong });
    await expect(start).rejects.toThrow(/^gateway-\d is down \(it ended with code 2\).*MUSTER_GATEWAY_PORT/s);
    expect(processesOf(kept)).toEqual([]);
  });

  test('names a port that is taken before anything runs', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const address = taken.address();
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
    const start = startStack({ directory: join(directory, 'taken'), ports: { gateway: port } });
    await expect(start).rejects.toMatchObject({
      code: 'PORT_IN_USE',
      message: `Port ${port} on 127.0.0.1 (gateway) is in use by another program.`,
    });
    expect(readdirSync(join(directory, 'taken'))).not.toContain('postgresql');
    await new Promise((resolve) => taken.close(resolve));
  });

  test('is given up when it is told to, and leaves nothing behind', async () => {
    const kept = join(directory, 'given-up');
    const ending = new AbortController();
    const progress = (line: string) => {
      if (line.startsWith('Starting licensing-policy')) ending.abort(new Error('given up'));
    };
    await expect(startStack({ directory: kept, signal: ending.signal, progress })).rejects.toThrow('given up');
    expect(processesOf(kept)).toEqual([]);
  });
});

function recordRoute(route: Route) {
  routes.push(route);
  return route.target;
}

/** A machine asks a gateway: a new one, unless its number is given. */
async function ask(gateway: StackProcess | undefined, machine?: number) {
  if (machine === undefined) machines += 1;
  const number = machine ?? machines;
  const connection = await ActivationConnection.open({
    host: gateway?.address.host ?? '',
    port: gateway?.address.port ?? 0,
    vendorKeys: vendorKeys(publicKeyFromJwk(stack.vendorKeyJwk)),
  });
  try {
    return await connection.activate({
      application: 'windows',
      edition: 'vista-business',
      cmid: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
      machineClass: 'physical',
      machineName: `DESKTOP-${number}`,
      licenceStatus: 'unlicensed',
      minutesLeft: 0,
      clientVersion: 'test/1',
    });
  } finally {
    connection.close();
  }
}

function windowsRules() {
  const parsed = parseCatalogue(builtInCatalogues.get('windows-2008') ?? '', 'windows-2008');
  if (!parsed.ok) throw new Error('the built-in catalogue is wrong');
  return [...parsed.catalogue.applications.values()].map(countRules);
}

/** Processes that have a directory in their command or their settings. */
function processesOf(named: string): string[] {
  const found: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const text = ['cmdline', 'environ'].map((file) => readFileSync(`/proc/${pid}/${file}`, 'utf8')).join();
      if (text.includes(named)) found.push(pid);
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

async function expectFree(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}
