import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import type { ApplicationCount } from '@muster/contracts/counting';
import { methodRules } from '@muster/contracts/methods';
import { MusterError } from '@muster/product-groups';
import { describe, expect, onTestFinished, test } from 'vitest';
import { connectToCounting, serveCounting, withoutRepetition } from '../testing/counting.ts';
import { freeAddress, listener } from '../testing/loopback.ts';

const plain = credentials.createInsecure();
const getCounts = '/muster.counting.v1.Counting/GetCounts';
const question = { rules: [] };
const soon = { timeout: 20_000 };

/** The rules of the contracts with another deadline. */
function withDeadline(deadlineMs: number) {
  const rule = methodRules[getCounts];
  if (rule === undefined) throw new Error('GetCounts has no rule');
  return { ...methodRules, [getCounts]: { ...rule, deadlineMs } };
}

describe('a call has failed when its time is over,', () => {
  const late = { code: 'UNAVAILABLE', message: 'The service did not answer within 0.5 seconds.' };

  test('where the service never answers', async () => {
    const { address } = await serveCounting({ drainMs: 1 }, { getCounts: () => new Promise(() => undefined) });
    const begun = performance.now();
    await expect(connectToCounting(address, plain, withDeadline(500)).getCounts(question)).rejects.toMatchObject(late);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  test('where something takes the connection and says nothing', async () => {
    const { server, address } = await listener();
    onTestFinished(() => void server.close());
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      onTestFinished(() => void socket.destroy());
    });
    const begun = performance.now();
    await expect(connectToCounting(address, plain, withDeadline(500)).getCounts(question)).rejects.toMatchObject(late);
    expect(performance.now() - begun).toBeLessThan(2_000);
  });

  test('and before, where nobody listens', async () => {
    const address = await freeAddress();
    const begun = performance.now();
    await expect(connectToCounting(address, plain, withoutRepetition).getCounts(question)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: `The service cannot be reached: connect ECONNREFUSED ${address}.`,
    });
    expect(performance.now() - begun).toBeLessThan(2_000);
  });
});

test('a call that arrives with too little time left is refused and not begun', async () => {
  const server = await serveCounting({});
  const client = new Client(server.address, plain);
  onTestFinished(() => client.close());
  const same = (bytes: Buffer) => bytes;
  const call = (leftMs: number) =>
    new Promise<ServiceError | null>((resolve) => {
      const deadline = Date.now() + leftMs;
      client.makeUnaryRequest(getCounts, same, same, Buffer.alloc(0), { deadline }, (error) => resolve(error));
    });
  expect(await call(10_000)).toBeNull();
  expect(server.calls).toBe(1);
  expect(await call(90)).toMatchObject({ code: status.DEADLINE_EXCEEDED });
  expect(await call(10_000)).toBeNull();
  expect(server.calls).toBe(2);
});

describe('a call is made again', () => {
  const away = new MusterError({ code: 'UNAVAILABLE', message: 'The database is away.', remedy: 'Wait.' });

  /** A counting that fails some times before it answers. */
  async function failing(times: number, error: Error = away) {
    let left = times;
    const server = await serveCounting(
      {},
      {
        getCounts: async () => {
          left -= 1;
          if (left >= 0) throw error;
          return { counts: [] };
        },
      },
    );
    return server;
  }

  test('where its method allows it, until it is answered', async () => {
    const server = await failing(2);
    expect(await connectToCounting(server.address, plain).getCounts(question)).toEqual({ counts: [] });
    expect(server.calls).toBe(3);
  });

  test('three times at most', async () => {
    const server = await failing(100);
    await expect(connectToCounting(server.address, plain).getCounts(question)).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: 'The database is away.',
      remedy: 'Wait.',
    });
    expect(server.calls).toBe(4);
  });

  test('never where its method does not allow it', async () => {
    const server = await failing(1);
    const counting = connectToCounting(server.address, plain, withoutRepetition);
    await expect(counting.getCounts(question)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(server.calls).toBe(1);
  });

  test.each<[string, Error]>([
    ['was refused', new MusterError({ code: 'INPUT_INVALID', message: 'No.', remedy: 'Do not.' })],
    ['is too much', new MusterError({ code: 'RATE_LIMITED', message: 'No.', remedy: 'Wait.' })],
    ['failed inside', new TypeError('a mistake of ours')],
  ])('never when it %s', async (_, error) => {
    const server = await failing(1, error);
    await expect(connectToCounting(server.address, plain).getCounts(question)).rejects.toBeInstanceOf(MusterError);
    expect(server.calls).toBe(1);
  });
});

describe('calls are spread over replicas,', () => {
  test('and go on when one ends in order or dies, and reach it again when it is back', async () => {
    const [first, second] = [await serveCounting({}), await serveCounting({})];
    const counting = connectToCounting(`${first.address}, ${second.address}`, plain, withoutRepetition);
    const failures: unknown[] = [];
    const call = () => counting.getCounts(question).catch((error) => failures.push(error));
    const callMany = async () => {
      for (let n = 0; n < 20; n += 1) await call();
    };
    const reachBoth = () =>
      expect
        .poll(async () => {
          const before = [first.calls, second.calls];
          await callMany();
          return first.calls > (before[0] ?? 0) && second.calls > (before[1] ?? 0);
        }, soon)
        .toBe(true);
    await reachBoth();
    const lanes = Promise.all([callMany(), callMany(), callMany()]);
    await second.drain();
    await lanes;
    const before = first.calls;
    await callMany();
    expect(first.calls).toBe(before + 20);
    const back = await serveCounting({}, {}, second.address);
    await expect
      .poll(async () => {
        await callMany();
        return back.calls;
      }, soon)
      .toBeGreaterThan(0);
    expect(failures).toEqual([]);
  });

  test('one of which was never there', async () => {
    const [server, nobody] = [await serveCounting({}), await freeAddress()];
    const counting = connectToCounting(`${nobody},${server.address}`, plain, withoutRepetition);
    for (let n = 0; n < 20; n += 1) await counting.getCounts(question);
    expect(server.calls).toBe(20);
  });
});

describe('a message above 1 MiB', () => {
  const refused = {
    code: 'INPUT_INVALID',
    message: 'The message is larger than services take from each other, which is 1 MiB.',
    remedy: 'Send or ask for less at once.',
  };
  const long = 'x'.repeat(1024 * 1024);
  const application: ApplicationCount = {
    application: long,
    count: 0,
    machinesCounted: 0,
    machinesKnown: 0,
    machinesCloned: 0,
  };

  test('is refused as a question, and the next call is answered', async () => {
    const server = await serveCounting({});
    const counting = connectToCounting(server.address, plain);
    const rules = [{ application: long, countCap: 0, countRetentionMinutes: 0 }];
    await expect(counting.getCounts({ rules })).rejects.toMatchObject(refused);
    expect(server.calls).toBe(0);
    expect(await counting.getCounts(question)).toEqual({ counts: [] });
  });

  test('is refused as an answer', async () => {
    const server = await serveCounting({}, { getCounts: async () => ({ counts: [application] }) });
    await expect(connectToCounting(server.address, plain).getCounts(question)).rejects.toMatchObject(refused);
    expect(server.calls).toBe(1);
  });

  test('just below it is taken', async () => {
    const counts = [{ ...application, application: long.slice(100) }];
    const { address } = await serveCounting({}, { getCounts: async () => ({ counts }) });
    expect(await connectToCounting(address, plain).getCounts(question)).toEqual({ counts });
  });
});

test('a stream that fails before anybody reads neither ends the process nor passes for the end of the answers', async () => {
  const address = await freeAddress();
  const counting = connectToCounting(address, plain);
  const machines = counting.listMachines({ rules: [], application: '', clonedOnly: false });
  // A call made later on the same channel fails, so the stream has failed as well.
  await expect(counting.getCounts(question)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  const read = async () => {
    for await (const _ of machines);
  };
  await expect(read()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
