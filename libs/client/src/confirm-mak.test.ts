import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { installationId, issueMakConfirmation, makeProductKey, signingKeyFromSeed } from '@muster/trust';
import {
  encodeErrorReply,
  encodeFrame,
  encodeMakReply,
  encodePong,
  FrameReader,
  FrameType,
  type MakReply,
  maximumRequestPayloadBytes,
  parseMakRequest,
  type ReceivedMakRequest,
} from '@muster/wire-codec';
import { describe, expect, onTestFinished, test } from 'vitest';
import { noonMs, strangerKey, trusted } from '../testing/fake-host.ts';
import { AdvisedError } from './advised-error.ts';
import { confirmMak, type MakGateway } from './confirm-mak.ts';

const vendorKey = signingKeyFromSeed(new Uint8Array(32).fill(1));
const fingerprint = new Uint8Array(32).fill(7);
const question = {
  productKey: makeProductKey('MAK', new Uint8Array(14).fill(9)).replaceAll('-', ''),
  application: 'windows',
  edition: 'vista-business',
  installationId: installationId(fingerprint, 'windows', 'vista-business'),
  clientVersion: 'test/1',
};

/** A gateway on loopback that answers each request as a test wants. Returns its port. */
async function startGateway(answer: (socket: Socket, request: ReceivedMakRequest) => unknown): Promise<number> {
  const server = createServer((socket) => {
    const reader = new FrameReader(maximumRequestPayloadBytes);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (const { type, payload } of reader.push(chunk).frames) {
        const parsed = parseMakRequest(payload);
        if (type !== FrameType.makRequest || !parsed.ok) throw new Error('the client sent no MAK request');
        answer(socket, parsed.request);
      }
    });
    onTestFinished(() => {
      socket.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
  });
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the gateway has no port');
  return bound.port;
}

function confirmationOf(request: ReceivedMakRequest, change: object = {}): Promise<string> {
  const { application, edition } = request;
  const common = { vendor: 'Example Vendor', vendorKey, application, productGroup: 'vista-vl', edition };
  return issueMakConfirmation({
    ...common,
    installationId: request.installationId,
    confirmedAtMs: noonMs,
    ...change,
  });
}

const reply = (socket: Socket, fields: MakReply) =>
  socket.write(encodeFrame(FrameType.makReply, encodeMakReply(fields)));

async function grant(socket: Socket, request: ReceivedMakRequest, change: object = {}): Promise<void> {
  const confirmation = await confirmationOf(request, change);
  reply(socket, { nonce: request.nonce, code: 'GRANTED', confirmation });
}

const ask = (port: number, change: Partial<MakGateway> = {}) =>
  confirmMak({ host: '127.0.0.1', port, vendorKeys: trusted, ...change }, question);

test('a confirmation is asked for with a fresh nonce each time, and verified', async () => {
  const asked: ReceivedMakRequest[] = [];
  const port = await startGateway((socket, request) => {
    asked.push(request);
    grant(socket, request);
  });
  const [first, second] = [await ask(port), await ask(port)];
  expect(first).toMatchObject({ vendor: 'Example Vendor', productGroup: 'vista-vl', edition: 'vista-business' });
  expect(first.installationId).toEqual(Buffer.from(question.installationId));
  expect(second.confirmation).toBe(first.confirmation);
  expect(asked).toMatchObject([question, question]);
  expect(asked[0]?.nonce).not.toEqual(asked[1]?.nonce);
});

test('an answer that is followed by the end of the connection, or comes byte by byte, is taken', async () => {
  const ends = await startGateway(async (socket, request) => {
    await grant(socket, request);
    socket.end();
  });
  expect(await ask(ends)).toMatchObject({ application: 'windows' });
  const slow = await startGateway(async (socket, request) => {
    const confirmation = await confirmationOf(request);
    const frame = encodeFrame(
      FrameType.makReply,
      encodeMakReply({ nonce: request.nonce, code: 'GRANTED', confirmation }),
    );
    for (const byte of frame) {
      await new Promise((resolve) => socket.write(Uint8Array.of(byte), resolve));
    }
  });
  expect(await ask(slow)).toMatchObject({ application: 'windows' });
});

describe('a refusal', () => {
  test.each(['MAK_INVALID', 'MAK_EXHAUSTED', 'MAK_WRONG_GROUP', 'KEY_REVOKED', 'KEY_EXPIRED'] as const)(
    '%s is told as advice',
    async (code) => {
      const port = await startGateway((socket, { nonce }) =>
        reply(socket, { nonce, code, message: 'No.', remedy: 'Ask the vendor.' }),
      );
      const refusal = await ask(port).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(AdvisedError);
      expect(refusal).toMatchObject({ code, message: 'No.', remedy: 'Ask the vendor.' });
    },
  );

  test('by an error reply says when to come back', async () => {
    const error = { code: 'UNAVAILABLE', message: 'Down.', remedy: 'Wait.', retryAfterMs: 5_000 } as const;
    const port = await startGateway((socket) =>
      socket.write(encodeFrame(FrameType.errorReply, encodeErrorReply(error))),
    );
    await expect(ask(port)).rejects.toMatchObject(error);
  });
});

describe('a confirmation is refused as CONFIRMATION_INVALID', () => {
  test.each([
    ['that somebody else has signed', { vendorKey: strangerKey }],
    ['for another installation', { installationId: new Uint8Array(32) }],
    ['for another edition', { edition: 'vista-enterprise' }],
    ['for another application', { application: 'office' }],
  ])('%s', async (_, change) => {
    const port = await startGateway((socket, request) => grant(socket, request, change));
    await expect(ask(port)).rejects.toMatchObject({ code: 'CONFIRMATION_INVALID' });
  });
});

describe('a host that is none', () => {
  test('is UNTRUSTED_HOST when its reply is for another request, of another kind or no frame', async () => {
    const confirmed = async (nonce: Uint8Array, request: ReceivedMakRequest) =>
      encodeMakReply({ nonce, code: 'GRANTED', confirmation: await confirmationOf(request) });
    const answers: readonly ((request: ReceivedMakRequest) => Promise<Uint8Array> | Uint8Array)[] = [
      async (request) => encodeFrame(FrameType.makReply, await confirmed(new Uint8Array(32), request)),
      async (request) => encodeFrame(FrameType.activationReply, await confirmed(request.nonce, request)),
      () => encodeFrame(FrameType.makReply, Uint8Array.of(1, 2, 3)),
      () => encodeFrame(FrameType.errorReply, Uint8Array.of(1, 2, 3)),
      () => encodeFrame(FrameType.pong, encodePong(Uint8Array.of(1))),
      () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    ];
    for (const answer of answers) {
      const port = await startGateway(async (socket, request) => socket.write(await answer(request)));
      await expect(ask(port)).rejects.toMatchObject({ code: 'UNTRUSTED_HOST' });
    }
  });

  test('is HOST_UNREACHABLE when it closes, is silent, or does not listen', async () => {
    const closing = await startGateway((socket) => socket.end());
    await expect(ask(closing)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    const silent = await startGateway(() => undefined);
    await expect(ask(silent, { answerMs: 50 })).rejects.toMatchObject({
      code: 'HOST_UNREACHABLE',
      message: expect.stringContaining('no answer within 50 ms'),
    });
    // Speaks no TLS, so that the connection is not made in time.
    await expect(ask(silent, { tls: {}, connectMs: 50 })).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { readonly port: number };
    server.close();
    await once(server, 'close');
    await expect(ask(port)).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
  });

  test('gets no error that repeats the product key', async () => {
    const port = await startGateway((socket) => socket.end());
    const error = (await ask(port).catch((refusal: unknown) => refusal)) as Error;
    expect(JSON.stringify([error.message, error.stack, error])).not.toContain(question.productKey.slice(0, 10));
  });
});
