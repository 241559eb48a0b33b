import { createServer } from 'node:net';
import { credentials } from '@grpc/grpc-js';
import { MachineClass, ResultCode } from '@muster/contracts/activation';
import { type Counting, CountingService, type CountRequest } from '@muster/contracts/counting';
import { countingMigrations, createCounting } from '@muster/counting';
import { type Database, openPostgresql } from '@muster/database';
import { type PostgresqlServer, startPostgresql } from '@muster/database/testing';
import { CountingLink } from '@muster/protocol-gateway';
import { connectTo, createLogger, serveGrpc, systemClock } from '@muster/service-kit';
import { formatUuid, parseUuid } from '@muster/wire-codec';
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { TcpProxy } from './support/tcp-proxy.ts';

const logger = createLogger('test', 'silent');
const lanes = 4;
const sweepMs = 50;
const patient = { timeout: 30_000 };

let server: PostgresqlServer;
let database: Database;

beforeAll(async () => {
  server = await startPostgresql();
  database = await openPostgresql({ url: server.url });
  await database.migrate(countingMigrations);
}, 120_000);
afterAll(async () => {
  await database.close();
  server.stop();
});
beforeEach(async () => {
  await database.query({ name: 'test.empty', text: 'truncate counting.activation_log' });
});

test('a rolling restart of counting under load: no request fails, and each answer is in the log exactly once', async () => {
  const replicas = [await Replica.start(server.url), await Replica.start(server.url)];
  // The machine that runs this may be slow; what is shown is that an end in order loses nothing.
  const gateway = Gateway.connect(replicas, { deadlineMs: 10_000 });
  const stopLoad = gateway.load(64);
  for (const replica of [...replicas, ...replicas]) {
    await replica.restart();
    // Whoever came back has its share again.
    const before = replica.commits;
    await expect.poll(() => replica.commits - before, patient).toBeGreaterThan(10);
  }
  await stopLoad();
  expect(gateway.failed).toEqual([]);
  expect(gateway.link.state).toMatchObject({ failed: 0, lastFailure: undefined });
  // Nothing was answered twice, and nothing was counted that was not answered.
  expect(await loggedIds()).toEqual(gateway.answered.toSorted());
  expect(new Set(gateway.answered).size).toBe(gateway.answered.length);
});

test('a replica that vanishes fails only what is with it, and the other one goes on', async () => {
  const replicas = [await Replica.start(server.url), await Replica.start(server.url)] as const;
  const proxy = await proxyTo(replicas[0].port);
  const gateway = Gateway.connect([proxy, replicas[1]]);
  const stopLoad = gateway.load(64);
  for (const replica of replicas) await expect.poll(() => replica.commits, patient).toBeGreaterThan(10);
  proxy.cut();
  await expect.poll(() => gateway.link.state.lastFailure !== undefined, patient).toBe(true);
  await expect.poll(() => gateway.link.state.lanesTrusted, patient).toBe(lanes);
  const before = gateway.answered.length;
  await expect.poll(() => gateway.answered.length - before, patient).toBeGreaterThan(200);
  await stopLoad();
  // What failed may have been committed; what was answered is, once.
  const logged = await loggedIds();
  expect(new Set(logged).size).toBe(logged.length);
  const known = new Set(logged);
  expect(gateway.answered.filter((id) => !known.has(id))).toEqual([]);
  expect(new Set(gateway.answered).size).toBe(gateway.answered.length);
});

test('a database that falls silent: requests fail in their time, then at once, and go on after its return', async () => {
  const { port, pathname, username } = new URL(server.url);
  const proxy = await proxyTo(Number(port));
  const replica = await Replica.start(`postgres://${username}@127.0.0.1:${proxy.port}${pathname}`);
  const gateway = Gateway.connect([replica]);
  const stopLoad = gateway.load(8);
  await expect.poll(() => gateway.answered.length, patient).toBeGreaterThan(100);
  proxy.silent = true;
  await expect.poll(() => gateway.link.state.lanesTrusted, patient).toBe(0);
  await stopLoad();
  expect(gateway.failed.length).toBeGreaterThanOrEqual(lanes);
  // 900 ms and a sweep, and what a busy machine adds to it.
  expect(Math.max(...gateway.failed.map(({ afterMs }) => afterMs))).toBeLessThan(1_500);
  const askedMs = () => gateway.ask().then(() => gateway.failed.at(-1)?.afterMs);
  await expect.poll(askedMs, patient).toBeLessThan(200);
  proxy.silent = false;
  const before = gateway.answered.length;
  await expect.poll(() => gateway.ask().then(() => gateway.answered.length > before), { timeout: 5_000 }).toBe(true);
});

async function loggedIds(): Promise<readonly string[]> {
  const rows = await database.query<{ id: string }>({
    name: 'test.logged',
    text: 'select activation_id::text as id from counting.activation_log',
  });
  return rows.map(({ id }) => id).sort();
}

/** A counting of its own, served over gRPC on loopback. */
class Replica {
  readonly port: number;
  /** Batches that it has committed. */
  commits = 0;
  readonly #database: Database;
  #drain: () => Promise<void> = async () => undefined;

  private constructor(port: number, ownDatabase: Database) {
    this.port = port;
    this.#database = ownDatabase;
  }

  static async start(url: string): Promise<Replica> {
    const ownDatabase = await openPostgresql({ url });
    const replica = new Replica(await freePort(), ownDatabase);
    await replica.#serve();
    onTestFinished(async () => {
      await replica.#drain();
      await ownDatabase.close();
    });
    return replica;
  }

  /** Ends in order, and starts again at the same address. */
  async restart(): Promise<void> {
    await this.#drain();
    await this.#serve();
  }

  async #serve(): Promise<void> {
    const onCommitted = () => {
      this.commits += 1;
    };
    const implementation = createCounting({ database: this.#database, clock: systemClock, logger, onCommitted });
    const close = await serveGrpc(`127.0.0.1:${this.port}`, [{ definition: CountingService, implementation }]);
    this.#drain = () => {
      implementation.drain();
      return close();
    };
  }
}

/** What of a gateway asks counting. */
class Gateway {
  readonly link: CountingLink<Asked>;
  /** The activation id of each answer. */
  readonly answered: string[] = [];
  readonly failed: { readonly reason: string; readonly afterMs: number }[] = [];
  #asked = 0;

  private constructor(counting: Counting, deadlineMs: number) {
    this.link = new CountingLink<Asked>({
      counting,
      clock: systemClock,
      logger,
      toBatch: (batchId, items) => ({
        batchId,
        gatewayId: 'gateway-test',
        rules: [{ application: 'windows', countCap: 50, countRetentionMinutes: 43_200 }],
        requests: items.map(({ machine }) => requestOf(machine)),
      }),
      outcome: {
        answered: (items, results) => {
          this.answered.push(...results.map(({ activationId }) => formatUuid(activationId)));
          for (const { done } of items) done();
        },
        failed: (items, reason) => {
          for (const { atMs, done } of items) {
            this.failed.push({ reason, afterMs: performance.now() - atMs });
            done();
          }
        },
      },
      batchRequests: 256,
      lanes,
      deadlineMs,
    });
  }

  static connect(replicas: readonly { readonly port: number }[], { deadlineMs = 900 } = {}): Gateway {
    const addresses = replicas.map(({ port }) => `127.0.0.1:${port}`).join(',');
    const { service, close } = connectTo<Counting>(CountingService, addresses, credentials.createInsecure());
    const gateway = new Gateway(service, deadlineMs);
    gateway.link.start();
    const sweeper = setInterval(() => gateway.link.sweep(), sweepMs);
    onTestFinished(() => {
      clearInterval(sweeper);
      gateway.link.close();
      close();
    });
    return gateway;
  }

  /** Asks for one of 5,000 machines. Returns with the outcome. */
  ask(): Promise<void> {
    this.#asked += 1;
    return new Promise((done) => {
      this.link.submit({ machine: this.#asked % 5_000, atMs: performance.now(), done });
    });
  }

  /** Asks without end, with so many requests at a time. Returns what stops that and waits for the last outcome. */
  load(concurrency: number): () => Promise<void> {
    let stopped = false;
    const askOn = async () => {
      while (!stopped) {
        const failures = this.failed.length;
        await this.ask();
        // A client that is told to come later does.
        if (this.failed.length > failures) await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };
    const clients = Array.from({ length: concurrency }, askOn);
    return async () => {
      stopped = true;
      await Promise.all(clients);
    };
  }
}

interface Asked {
  readonly machine: number;
  readonly atMs: number;
  readonly done: () => void;
}

function requestOf(machine: number): CountRequest {
  return {
    application: 'windows',
    edition: 'vista-business',
    cmid: parseUuid(`00000000-0000-4000-8000-${String(machine).padStart(12, '0')}`) ?? new Uint8Array(),
    previousCmid: new Uint8Array(),
    machineClass: MachineClass.PHYSICAL,
    machineName: `PC-${machine}`,
    fingerprint: new Uint8Array(32),
    licenceStatus: 1,
    clientVersion: 'test/1',
    remoteAddress: '127.0.0.1',
    raisesCount: true,
    threshold: 25,
    refusal: ResultCode.UNSPECIFIED,
  };
}

async function proxyTo(port: number): Promise<TcpProxy> {
  const proxy = await TcpProxy.to(port);
  onTestFinished(() => proxy.cut());
  return proxy;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the probe has no port');
  return address.port;
}
