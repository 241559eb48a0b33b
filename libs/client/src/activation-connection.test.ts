import { once } from 'node:events';
import { createServer } from 'node:net';
import { MusterError } from '@muster/product-groups';
import { vendorKeys } from '@muster/trust';
import { encodeFrame, encodePong, FrameType, type ReceivedActivationRequest } from '@muster/wire-codec';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  grantFrame,
  type HostConnection,
  hostId,
  noonMs,
  startHost,
  strangerKey,
  trusted,
} from '../testing/fake-host.ts';
import {
  ActivationConnection,
  type ActivationConnectionOptions,
  type ActivationQuestion,
} from './activation-connection.ts';
import { AdvisedError } from './advised-error.ts';

const question: ActivationQuestion = {
  application: 'windows',
  edition: 'vista-business',
  cmid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8',
  machineClass: 'physical',
  machineName: 'PC-1',
  licenceStatus: 'initial-grace',
  minutesLeft: 43_200,
  clientVersion: 'test/1',
};

const cmidOf = (n: number) => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
const questionOf = (n: number): ActivationQuestion => ({ ...question, cmid: cmidOf(n), machineName: `PC-${n}` });

async function connect(
  port: number,
  options: Partial<ActivationConnectionOptions> = {},
): Promise<ActivationConnection> {
  const connection = await ActivationConnection.open({
    host: '127.0.0.1',
    port,
    vendorKeys: trusted,
    nowMs: () => noonMs,
    ...options,
  });
  onTestFinished(() => connection.close());
  return connection;
}

/** Collects requests until there are so many, then hands them over together. */
function gather(
  count: number,
  act: (connection: HostConnection, requests: readonly ReceivedActivationRequest[]) => void,
) {
  const requests: ReceivedActivationRequest[] = [];
  return (connection: HostConnection, request: ReceivedActivationRequest) => {
    requests.push(request);
    if (requests.length === count) act(connection, requests);
  };
}

const codesOf = (outcomes: readonly PromiseSettledResult<{ readonly code: string }>[]) =>
  outcomes.map((outcome) => (outcome.status === 'fulfilled' ? outcome.value.code : outcome.reason.code));

describe('a host that answers', () => {
  test('is asked with the nonce and the time of the client, and its grant is verified down to the vendor', async () => {
    const asked: ReceivedActivationRequest[] = [];
    const port = await startHost((connection, request) => {
      asked.push(request);
      connection.grant(request);
    });
    const connection = await connect(port);
    expect(await connection.activate(question)).toMatchObject({
      code: 'GRANTED',
      cmid: question.cmid,
      count: 30,
      threshold: 25,
      hostId,
      vendor: 'Example Vendor',
      productGroup: 'vista-vl',
      gatewayId: 'gateway-1',
      expiresAtMs: noonMs + 180 * 86_400_000,
    });
    expect(asked).toEqual([
      expect.objectContaining({ ...question, clientTimeMs: noonMs, nonce: expect.objectContaining({ length: 32 }) }),
    ]);
  });

  test.each([
    ['ends', (connection: HostConnection) => connection.socket.end()],
    ['closes', (connection: HostConnection) => connection.socket.destroySoon()],
  ])('is believed also when it %s the connection right behind its answer', async (_, close) => {
    const port = await startHost((connection, request) => {
      connection.grant(request);
      close(connection);
    });
    for (let n = 1; n <= 10; n += 1) {
      expect((await (await connect(port)).activate(questionOf(n))).code).toBe('GRANTED');
    }
  });

  test('may refuse, which is an answer', async () => {
    const refusal = { code: 'COUNT_INSUFFICIENT', count: 24, validityMinutes: 0, expiresAtMs: 0 } as const;
    const port = await startHost((connection, request) => connection.grant(request, refusal));
    expect(await (await connect(port)).activate(question)).toMatchObject({ ...refusal, threshold: 25 });
  });

  test('may answer requests in another order: each answer finds its request by the nonce', async () => {
    const answerBackwards = gather(20, (connection, [first, ...others]) => {
      for (const request of others.reverse()) connection.grant(request);
      if (first !== undefined) connection.grant(first);
    });
    const connection = await connect(await startHost(answerBackwards));
    const questions = Array.from({ length: 20 }, (_, n) => questionOf(n + 1));
    const answers = await Promise.all(questions.map((each) => connection.activate(each)));
    expect(answers.map(({ cmid }) => cmid)).toEqual(questions.map(({ cmid }) => cmid));
  });

  test('sends credential and certificate with its first reply only', async () => {
    let replies = 0;
    const port = await startHost((connection, request) => {
      replies += 1;
      if (replies === 1) connection.grant(request);
      else connection.grantShortly(request);
    });
    const connection = await connect(port);
    for (let n = 1; n <= 5; n += 1) expect(await connection.activate(questionOf(n))).toMatchObject({ code: 'GRANTED' });
    // Another connection remembers nothing of it.
    await expect((await connect(port)).activate(question)).rejects.toMatchObject({
      code: 'UNTRUSTED_HOST',
      message: expect.stringContaining('no host certificate'),
    });
  });

  test('may cut its reply into bytes', async () => {
    const port = await startHost((connection, request) => {
      for (const byte of grantFrame(request)) connection.socket.write(Uint8Array.of(byte));
    });
    expect(await (await connect(port)).activate(question)).toMatchObject({ code: 'GRANTED' });
  });

  test('may send frames that answer nothing', async () => {
    const port = await startHost((connection, request) => {
      connection.socket.write(encodeFrame(FrameType.pong, encodePong(new Uint8Array(8))));
      connection.grant(request);
    });
    expect(await (await connect(port)).activate(question)).toMatchObject({ code: 'GRANTED' });
  });
});

describe('a host that cannot be asked is HOST_UNREACHABLE', () => {
  const unreachable = (reason: RegExp) => ({
    code: 'HOST_UNREACHABLE',
    message: expect.stringMatching(reason),
    remedy: expect.stringMatching(/./),
  });

  test('when nothing listens on its port', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    const port = address === null || typeof address === 'string' ? 0 : address.port;
    server.close();
    await once(server, 'close');
    await expect(connect(port)).rejects.toMatchObject(unreachable(/^127\.0\.0\.1:\d+ could not .*ECONNREFUSED/));
  });

  test('when its name leads nowhere', async () => {
    await expect(connect(1688, { host: 'nowhere.invalid' })).rejects.toMatchObject(
      unreachable(/^nowhere\.invalid:1688 could not be asked: .*\.$/),
    );
  });

  test('when it does not answer in time', async () => {
    const connection = await connect(await startHost(() => undefined), { answerMs: 50 });
    await expect(connection.activate(question)).rejects.toMatchObject(unreachable(/no answer within 50 ms\.$/));
  });

  test('when it closes in the middle, to every request that waits', async () => {
    const port = await startHost(gather(3, ({ socket }) => void socket.end()));
    const connection = await connect(port);
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => connection.activate(questionOf(n))));
    expect(codesOf(outcomes)).toEqual(Array(3).fill('HOST_UNREACHABLE'));
  });

  test('when it breaks the connection in the middle of a reply', async () => {
    const port = await startHost((connection, request) => {
      connection.socket.write(grantFrame(request).subarray(0, 100), () => connection.socket.resetAndDestroy());
    });
    await expect((await connect(port)).activate(question)).rejects.toMatchObject(unreachable(/could not be asked/));
  });

  test('after the connection was closed by us, and for what was under way then', async () => {
    const asked = Promise.withResolvers<void>();
    const connection = await connect(await startHost(() => asked.resolve()));
    const underWay = connection.activate(question);
    await asked.promise;
    connection.close();
    connection.close();
    await expect(underWay).rejects.toMatchObject(unreachable(/closed/));
    await expect(connection.activate(question)).rejects.toMatchObject(unreachable(/the connection is closed/));
  });

  test('after the connection was closed by the host', async () => {
    const connection = await connect(await startHost(({ socket }) => void socket.end()));
    await expect(connection.activate(question)).rejects.toMatchObject(unreachable(/closed/));
    await expect(connection.activate(question)).rejects.toMatchObject(unreachable(/closed/));
  });
});

describe('a host that is not believed is UNTRUSTED_HOST', () => {
  test.each<[string, Uint8Array, RegExp]>([
    ['speaks HTTP', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'), /foreign-protocol/],
    ['speaks a later version', Uint8Array.of(2, 2, 0, 0), /unsupported-version/],
    ['sends a frame of no type', Uint8Array.of(1, 99, 0, 0), /unknown-type/],
    [
      'announces a frame that is too large',
      Uint8Array.of(1, FrameType.activationReply, 0x20, 0x01),
      /payload-too-large/,
    ],
    ['sends a reply that is none', encodeFrame(FrameType.activationReply, Buffer.from('nothing')), /protobuf|missing/],
    ['sends an error that is none', encodeFrame(FrameType.errorReply, Uint8Array.of(0xff)), /protobuf/],
  ])('when it %s', async (_, bytes, reason) => {
    const connection = await connect(await startHost(gather(2, ({ socket }) => void socket.write(bytes))));
    const outcomes = await Promise.allSettled([1, 2].map((n) => connection.activate(questionOf(n))));
    expect(codesOf(outcomes)).toEqual(['UNTRUSTED_HOST', 'UNTRUSTED_HOST']);
    for (const outcome of outcomes) expect(String(outcome.status === 'rejected' && outcome.reason)).toMatch(reason);
  });

  test('when a key signs that nobody certified, to that request only', async () => {
    const port = await startHost(
      gather(3, (connection, requests) => {
        for (const request of requests) {
          if (request.cmid === cmidOf(2)) connection.forge(request);
          else connection.grant(request);
        }
      }),
    );
    const connection = await connect(port);
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => connection.activate(questionOf(n))));
    expect(codesOf(outcomes)).toEqual(['GRANTED', 'UNTRUSTED_HOST', 'GRANTED']);
  });

  test('when its vendor is not trusted', async () => {
    const port = await startHost((connection, request) => connection.grant(request));
    const connection = await connect(port, { vendorKeys: vendorKeys(strangerKey.publicKey) });
    await expect(connection.activate(question)).rejects.toMatchObject({ code: 'UNTRUSTED_HOST' });
  });

  test.each([1, 2])('when its reply answers another nonce while %i requests wait', async (waiting) => {
    const port = await startHost(
      gather(waiting, (connection, [request]) => {
        if (request !== undefined) connection.grant(request, { nonce: new Uint8Array(32).fill(7) });
      }),
    );
    const connection = await connect(port);
    const asked = Array.from({ length: waiting }, (_, n) => connection.activate(questionOf(n + 1)));
    expect(codesOf(await Promise.allSettled(asked))).toEqual(Array(waiting).fill('UNTRUSTED_HOST'));
  });

  test("when its grant is older than the client's clock allows", async () => {
    const port = await startHost((connection, request) => connection.grant(request));
    const connection = await connect(port, { nowMs: () => noonMs + 5 * 3_600_000 });
    await expect(connection.activate(question)).rejects.toMatchObject({ code: 'UNTRUSTED_HOST' });
  });
});

describe('an error of the host is only advice', () => {
  const advice = { code: 'RATE_LIMITED', message: 'Too many at once.', remedy: 'Wait.', retryAfterMs: 1_500 } as const;

  test('to the request that it names', async () => {
    const port = await startHost(
      gather(3, (connection, requests) => {
        for (const request of requests) {
          if (request.cmid === cmidOf(2)) connection.advise({ ...advice, nonce: request.nonce });
          else connection.grant(request);
        }
      }),
    );
    const connection = await connect(port);
    const outcomes = await Promise.allSettled([1, 2, 3].map((n) => connection.activate(questionOf(n))));
    expect(codesOf(outcomes)).toEqual(['GRANTED', 'RATE_LIMITED', 'GRANTED']);
    const error = outcomes[1]?.status === 'rejected' ? outcomes[1].reason : undefined;
    expect(error).toBeInstanceOf(AdvisedError);
    expect(error).toBeInstanceOf(MusterError);
    expect(error).toMatchObject(advice);
  });

  test('to every request that waits when it names none, and the connection serves on', async () => {
    const port = await startHost(
      gather(2, (connection) =>
        connection.advise({ code: 'MALFORMED_REQUEST', message: 'What?', remedy: 'Ask well.' }),
      ),
    );
    const connection = await connect(port, { answerMs: 50 });
    const outcomes = await Promise.allSettled([1, 2].map((n) => connection.activate(questionOf(n))));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({ reason: { code: 'MALFORMED_REQUEST', retryAfterMs: 0, remedy: 'Ask well.' } });
      expect(outcome.status === 'rejected' && outcome.reason).toBeInstanceOf(AdvisedError);
    }
    await expect(connection.activate(question)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
  });
});

describe('an answer that comes after its request was given up', () => {
  /** A host that is silent to the first request until the second one comes. */
  async function askTwice(
    late: (connection: HostConnection, first: ReceivedActivationRequest) => void,
    chained: boolean,
  ) {
    const port = await startHost(
      gather(2, (connection, [first, second]) => {
        if (first === undefined || second === undefined) return;
        late(connection, first);
        if (chained) connection.grant(second);
        else connection.grantShortly(second);
      }),
    );
    const connection = await connect(port, { answerMs: 500 });
    await expect(connection.activate(questionOf(1))).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    return connection.activate(questionOf(2));
  }

  test('does not disturb later ones, which may lean on the credential and certificate that it brought', async () => {
    const answer = await askTwice((connection, first) => connection.grant(first), false);
    expect(answer).toMatchObject({ code: 'GRANTED', cmid: cmidOf(2) });
  });

  test('does not disturb later ones when it is an error either', async () => {
    const late = (connection: HostConnection, { nonce }: ReceivedActivationRequest) =>
      connection.advise({ code: 'UNAVAILABLE', message: 'Too late.', remedy: 'Wait.', nonce });
    expect(await askTwice(late, true)).toMatchObject({ code: 'GRANTED', cmid: cmidOf(2) });
  });

  test('is no answer to anybody when it comes twice', async () => {
    const twice = (connection: HostConnection, first: ReceivedActivationRequest) => {
      connection.grant(first);
      connection.grant(first);
    };
    await expect(askTwice(twice, false)).rejects.toMatchObject({ code: 'UNTRUSTED_HOST' });
  });
});

test('a question that cannot be asked fails for itself', async () => {
  const connection = await connect(await startHost((host, request) => host.grant(request)));
  await expect(connection.activate({ ...question, cmid: 'no uuid' })).rejects.toThrow(RangeError);
  expect(await connection.activate(question)).toMatchObject({ code: 'GRANTED' });
});
