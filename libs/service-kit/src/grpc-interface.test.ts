import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import {
  type CountBatch,
  type CountedBatch,
  type Counting,
  CountingService,
  type Machine,
} from '@muster/contracts/counting';
import { MusterError } from '@muster/product-groups';
import { afterEach, describe, expect, test } from 'vitest';
import { AsyncQueue } from './async-queue.ts';
import { addToServer, connectTo } from './grpc-interface.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

/** A service that answers on loopback, and its client. */
async function serve(parts: Partial<Counting>, onPort = 0) {
  const server = new Server();
  addToServer(server, CountingService, { ...silent, ...parts });
  const port = await listen(server, onPort);
  return { counting: connect(port), server, port };
}

function listen(server: Server, port: number): Promise<number> {
  closers.push(() => server.forceShutdown());
  return new Promise((resolve, reject) => {
    server.bindAsync(`127.0.0.1:${port}`, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
}

function connect(port: number): Counting {
  const { service, close } = connectTo<Counting>(CountingService, `127.0.0.1:${port}`, credentials.createInsecure());
  closers.push(close);
  return service;
}

const silent: Counting = {
  async *count() {},
  getCounts: async () => ({ counts: [] }),
  async *listMachines() {},
};

const counts = { application: 'windows', count: 50, machinesCounted: 61, machinesKnown: 70, machinesCloned: 1 };
const everything = { rules: [], application: '', clonedOnly: false };

function machine(n: number, name = `PC-${n}`): Machine {
  return {
    application: 'windows',
    cmid: new Uint8Array(16).fill(n),
    edition: 'vista-business',
    machineClass: 1,
    machineName: name,
    fingerprint: new Uint8Array(32),
    firstRequestUnixMs: 1_795_521_600_000 + n,
    lastRequestUnixMs: 1_795_521_600_000 + n,
    requests: n,
    lastCode: 1,
    counted: true,
    clonedSinceUnixMs: 0,
    identities: [],
  };
}

function batchOf(batchId: number): CountBatch {
  return { batchId, gatewayId: 'gateway-1', rules: [], requests: [] };
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

async function collect<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const value of values) list.push(value);
  return list;
}

async function* batches(count: number): AsyncIterable<CountBatch> {
  for (const n of numbers(count)) yield batchOf(n);
}

describe('a call over gRPC is the call of the interface', () => {
  test('with one answer', async () => {
    const asked: unknown[] = [];
    const { counting } = await serve({
      getCounts: async (request) => {
        asked.push(request);
        return { counts: [counts] };
      },
    });
    const request = { rules: [{ application: 'windows', countCap: 50, countRetentionMinutes: 43_200 }] };
    expect(await counting.getCounts(request)).toEqual({ counts: [counts] });
    expect(asked).toEqual([request]);
  });

  test('with a stream of answers', async () => {
    const machines = numbers(300).map((n) => machine(n, n % 2 === 0 ? '' : `Größe-${n}-€`));
    const { counting } = await serve({
      async *listMachines({ application }) {
        yield* machines.map((each) => ({ ...each, application }));
      },
    });
    const listed = await collect(counting.listMachines({ ...everything, application: 'office' }));
    expect(listed.map(plain)).toEqual(machines.map((each) => plain({ ...each, application: 'office' })));
  });

  test('with a stream in both directions, where the next question may wait for the last answer', async () => {
    const { counting } = await serve({ count: answerEach });
    const questions = new AsyncQueue<CountBatch>();
    questions.push(batchOf(0));
    const seen: number[] = [];
    for await (const answer of counting.count(questions)) {
      seen.push(answer.batchId);
      if (answer.batchId === 99) questions.end();
      else questions.push(batchOf(answer.batchId + 1));
    }
    expect(seen).toEqual(numbers(100));
  });

  test('with several calls at the same time on one connection', async () => {
    const { counting } = await serve({ count: answerEach });
    const answers = await Promise.all(numbers(8).map((n) => collect(counting.count(batches(20 + n)))));
    expect(answers.map((each) => each.map(({ batchId }) => batchId))).toEqual(numbers(8).map((n) => numbers(20 + n)));
  });

  test('and an implementation keeps its this', async () => {
    class Counted {
      readonly #counts = [counts];
      async getCounts() {
        return { counts: this.#counts };
      }
      count = silent.count;
      listMachines = silent.listMachines;
    }
    const server = new Server();
    addToServer(server, CountingService, new Counted());
    expect(await connect(await listen(server, 0)).getCounts({ rules: [] })).toEqual({ counts: [counts] });
  });

  test('and a service that lacks a method is refused at the start', () => {
    const { getCounts: _, ...rest } = silent;
    expect(() => addToServer(new Server(), CountingService, rest)).toThrow('/muster.counting.v1.Counting/GetCounts');
  });
});

describe('long streams', () => {
  test('keep their order, and a reader that is slow slows the writer down', async () => {
    const [total, name] = [10_000, 'x'.repeat(1_000)];
    let made = 0;
    const { counting } = await serve({
      async *listMachines() {
        for (const n of numbers(total)) {
          made += 1;
          yield machine(n, name);
        }
      },
    });
    let read = 0;
    let furthestAhead = 0;
    for await (const { requests } of counting.listMachines(everything)) {
      if (requests !== read) throw new Error(`machine ${requests} came in the place of ${read}`);
      read += 1;
      furthestAhead = Math.max(furthestAhead, made - read);
    }
    expect(read).toBe(total);
    expect(furthestAhead).toBeLessThan(total / 4);
  });

  test('of questions wait for a service that is slow', async () => {
    const total = 10_000;
    let made = 0;
    let taken = 0;
    let furthestAhead = 0;
    const { counting } = await serve({
      async *count(questions) {
        for await (const { batchId } of questions) {
          taken += 1;
          furthestAhead = Math.max(furthestAhead, made - taken);
          yield { batchId, results: [], failure: '' };
        }
      },
    });
    const questions = async function* () {
      for (const n of numbers(total)) {
        made += 1;
        yield { ...batchOf(n), gatewayId: 'g'.repeat(1_000) };
      }
    };
    const answers = await collect(counting.count(questions()));
    expect(answers.map(({ batchId }) => batchId)).toEqual(numbers(total));
    expect(furthestAhead).toBeLessThan(total / 4);
  });
});

describe('an expected error', () => {
  const refusal = new MusterError({
    code: 'KEY_INVALID',
    message: 'Der Schlüssel „A-100 %“ gehört zu 東京 🙂\nund nicht hierher: %41 #?&+/.',
    remedy: 'Prüfen Sie den Schlüssel – Zeichen für Zeichen – auf „0“ und „O“ 🙂.',
    cause: new Error('postgres://user:password@host'),
  });
  const fail = () => {
    throw refusal;
  };
  async function expectRefusal(attempt: Promise<unknown>): Promise<void> {
    const error: MusterError = await attempt.then(accepted, (caught) => caught);
    expect(error).toBeInstanceOf(MusterError);
    expect({ code: error.code, message: error.message, remedy: error.remedy }).toEqual({
      code: refusal.code,
      message: refusal.message,
      remedy: refusal.remedy,
    });
    expect(everyTextOf(error)).not.toContain('password');
  }

  test('crosses a call with one answer', async () => {
    const { counting } = await serve({ getCounts: async () => fail() });
    await expectRefusal(counting.getCounts({ rules: [] }));
  });

  test('crosses a stream of answers, after the answers before it', async () => {
    const { counting } = await serve({
      async *listMachines() {
        yield machine(1);
        yield machine(2);
        fail();
      },
    });
    const seen: number[] = [];
    const read = async () => {
      for await (const { requests } of counting.listMachines(everything)) seen.push(requests);
    };
    await expectRefusal(read());
    expect(seen).toEqual([1, 2]);
  });

  test('crosses a stream in both directions', async () => {
    const { counting } = await serve({
      async *count(questions) {
        for await (const { batchId } of questions) {
          if (batchId === 3) fail();
          yield { batchId, results: [], failure: '' };
        }
      },
    });
    await expectRefusal(collect(counting.count(batches(10))));
  });

  test('that says UNAVAILABLE stays what it is', async () => {
    const { counting } = await serve({
      getCounts: async () => {
        throw new MusterError({ code: 'UNAVAILABLE', message: 'The database is away.', remedy: 'Wait.' });
      },
    });
    await expect(counting.getCounts({ rules: [] })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'The database is away.',
      remedy: 'Wait.',
    });
  });
});

describe('an unexpected error becomes UNAVAILABLE and tells nothing of the inside', () => {
  const crash = () => {
    throw new TypeError('password authentication failed for user "muster"');
  };

  test.each<[string, Partial<Counting>, (counting: Counting) => Promise<unknown>]>([
    ['one answer', { getCounts: async () => crash() }, (counting) => counting.getCounts({ rules: [] })],
    [
      'a stream of answers',
      {
        async *listMachines() {
          yield machine(1);
          crash();
        },
      },
      (counting) => collect(counting.listMachines(everything)),
    ],
    [
      'a stream in both directions',
      {
        async *count(questions) {
          for await (const { batchId } of questions) {
            if (batchId === 1) crash();
            yield { batchId, results: [], failure: '' };
          }
        },
      },
      (counting) => collect(counting.count(batches(3))),
    ],
  ])('in a call with %s', async (_, parts, call) => {
    const { counting } = await serve(parts);
    const error: MusterError = await call(counting).then(accepted, (caught) => caught);
    expect(error).toBeInstanceOf(MusterError);
    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      message: 'The service failed while it answered.',
    });
    expect(everyTextOf(error)).not.toMatch(/password|TypeError/);
  });
});

describe('a reader that stops', () => {
  test('ends the iteration of the service', async () => {
    const ended = Promise.withResolvers<void>();
    const { counting } = await serve({
      async *listMachines() {
        try {
          for (const n of numbers(1_000_000)) yield machine(n);
        } finally {
          ended.resolve();
        }
      },
    });
    for await (const { requests } of counting.listMachines(everything)) if (requests === 3) break;
    await ended.promise;
  });

  test('ends an iteration that waits for a value that never comes', async () => {
    const machines = new AsyncQueue<Machine>();
    machines.push(machine(1));
    const { counting } = await serve({ listMachines: () => machines });
    for await (const { requests } of counting.listMachines(everything)) {
      expect(requests).toBe(1);
      break;
    }
    // A queue that its reader has left takes nothing more.
    await expect.poll(() => takesMore(machines), { timeout: 10_000 }).toBe(false);
  });

  test('ends a stream in both directions on both sides', async () => {
    const ended = Promise.withResolvers<void>();
    const { counting } = await serve({
      async *count(questions) {
        try {
          yield* answerEach(questions);
        } finally {
          ended.resolve();
        }
      },
    });
    const questions = new AsyncQueue<CountBatch>();
    questions.push(batchOf(1));
    for await (const { batchId } of counting.count(questions)) {
      expect(batchId).toBe(1);
      break;
    }
    await ended.promise;
  });
});

describe('a service that is gone', () => {
  test('is UNAVAILABLE to each kind of call', async () => {
    const { counting, server } = await serve({});
    await counting.getCounts({ rules: [] });
    server.forceShutdown();
    for (const call of [
      () => counting.getCounts({ rules: [] }),
      () => collect(counting.listMachines(everything)),
      () => collect(counting.count(batches(2))),
    ]) {
      await expect(call()).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringMatching(/^The service cannot be reached: .*[^.]\.$/s),
      });
    }
  });

  test('breaks the streams that are under way', async () => {
    const { counting, server } = await serve({
      count: answerEach,
      async *listMachines() {
        yield machine(1);
        await new Promise(() => undefined);
      },
    });
    const questions = new AsyncQueue<CountBatch>();
    questions.push(batchOf(1));
    const answers = counting.count(questions)[Symbol.asyncIterator]();
    const machines = counting.listMachines(everything)[Symbol.asyncIterator]();
    expect((await answers.next()).value).toMatchObject({ batchId: 1 });
    expect((await machines.next()).value).toMatchObject({ requests: 1 });
    server.forceShutdown();
    await expect(answers.next()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await expect(machines.next()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    questions.push(batchOf(2)); // Nobody takes it, and nothing breaks by it.
    questions.end();
  });

  test('is found again when it is back', async () => {
    const { counting, server, port } = await serve({});
    await counting.getCounts({ rules: [] });
    server.forceShutdown();
    await expect(counting.getCounts({ rules: [] })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await serve({}, port);
    const ask = () => counting.getCounts({ rules: [] }).catch(({ code }: MusterError) => code);
    await expect.poll(ask, { timeout: 10_000 }).toEqual({ counts: [] });
  });
});

test('questions that break off end the call on both sides', async () => {
  const ended = Promise.withResolvers<void>();
  const { counting } = await serve({
    async *count(questions) {
      try {
        yield* answerEach(questions);
      } finally {
        ended.resolve();
      }
    },
  });
  const answered = Promise.withResolvers<void>();
  const questions = async function* () {
    yield batchOf(1);
    await answered.promise;
    throw new Error('the source of the questions failed');
  };
  const read = async () => {
    for await (const _ of counting.count(questions())) answered.resolve();
  };
  await expect(read()).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: 'The service did not answer: the source of the questions failed.',
  });
  await ended.promise;
});

async function* answerEach(questions: AsyncIterable<CountBatch>): AsyncIterable<CountedBatch> {
  for await (const { batchId } of questions) yield { batchId, results: [], failure: '' };
}

function accepted(): never {
  throw new Error('the call was answered');
}

/** Bytes come as a Buffer; only their values matter. */
function plain(each: Machine): Machine {
  return { ...each, cmid: new Uint8Array(each.cmid), fingerprint: new Uint8Array(each.fingerprint) };
}

/** Whether a queue without a reader still keeps what is pushed. */
async function takesMore(queue: AsyncQueue<Machine>): Promise<boolean> {
  const next = queue[Symbol.asyncIterator]().next();
  queue.push(machine(2));
  return !(await next).done;
}

/** Everything that a log line of an error could show. */
function everyTextOf(error: Error): string {
  const chain: string[] = [];
  for (let each: unknown = error; each instanceof Error && chain.length < 10; each = each.cause) {
    chain.push(each.message, JSON.stringify(each), each.stack ?? '');
  }
  return chain.join('\n');
}
