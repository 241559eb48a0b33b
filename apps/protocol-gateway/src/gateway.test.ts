import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { AsyncQueue, createLogger, ManualClock } from '@muster/service-kit';
import { issueGatewayCredential } from '@muster/trust';
import {
  encodeActivationRequest,
  encodeFrame,
  FrameReader,
  FrameType,
  maximumReplyPayloadBytes,
  parseErrorReply,
} from '@muster/wire-codec';
import { expect, onTestFinished, test } from 'vitest';
import { ControlledCounting } from '../testing/controlled-counting.ts';
import { activatedKey, dayMs, host, minuteMs, noonMs, requestFor, snapshotWith } from '../testing/policy-snapshot.ts';
import { ProtocolGateway } from './gateway.ts';
import { defaultLimits, type GatewayLimits } from './limits.ts';

/** A gateway on loopback, with one key that lasts an hour and a counting that answers when it is told. */
async function startGateway(limits: Partial<GatewayLimits> = {}) {
  const clock = new ManualClock(noonMs);
  const counting = new ControlledCounting();
  const key = await activatedKey('windows', ['vista-business'], { expiresAtMs: noonMs + 60 * minuteMs });
  const snapshots = new AsyncQueue<Awaited<ReturnType<typeof snapshotWith>>>();
  snapshots.push(await snapshotWith('windows-2008', [key]));
  const gateway = new ProtocolGateway({
    gatewayId: 'gateway-1',
    policy: {
      watchSnapshots: () => snapshots,
      async issueGatewayCredential({ gatewayId, publicKey: gatewayPublicKey }) {
        const [issuedAtMs, expiresAtMs] = [clock.nowMs(), clock.nowMs() + dayMs];
        const options = { hostKey: host, gatewayId, gatewayPublicKey, issuedAtMs, expiresAtMs };
        const gatewayCredential = await issueGatewayCredential(options);
        return { gatewayCredential, issuedAtUnixMs: issuedAtMs, expiresAtUnixMs: expiresAtMs };
      },
    },
    counting,
    clock,
    logger: createLogger('test', 'silent'),
    limits: { ...defaultLimits, drainQuietMs: 0, ...limits },
  });
  const port = await gateway.start('127.0.0.1', 0);
  onTestFinished(async () => {
    snapshots.end();
    await gateway.drain();
  });
  return { clock, counting, gateway, port };
}

async function open(port: number): Promise<Socket> {
  const socket = connect({ host: '127.0.0.1', port });
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  return socket;
}

test('requests whose key expires while they are counted are answered HOST_NOT_ACTIVATED, and nothing stays open', async () => {
  const { clock, counting, gateway, port } = await startGateway();
  const codes: string[] = [];
  for (const byte of [1, 2]) {
    const socket = await open(port);
    const reader = new FrameReader(maximumReplyPayloadBytes);
    socket.on('data', (chunk) => {
      for (const { payload } of reader.push(chunk).frames) {
        const parsed = parseErrorReply(payload);
        codes.push(parsed.ok ? parsed.error.code : 'no error reply');
      }
    });
    const request = requestFor('windows', 'vista-business', { nonce: new Uint8Array(32).fill(byte) });
    socket.write(encodeFrame(FrameType.activationRequest, encodeActivationRequest(request)));
  }
  await expect.poll(() => counting.open.flatMap((batch) => batch.requests).length).toBe(2);
  clock.set(noonMs + 60 * minuteMs);
  for (const batch of [...counting.open]) counting.answer(batch);
  await expect.poll(() => codes).toEqual(['HOST_NOT_ACTIVATED', 'HOST_NOT_ACTIVATED']);
  clock.advance(defaultLimits.idleMs);
  gateway.sweep();
  await expect.poll(() => gateway.connectionsOpen).toBe(0);
});

test('a sender that the gateway has stopped reading is not cut for the frame that it could not finish', async () => {
  const { clock, counting, gateway, port } = await startGateway({ inFlightPerConnection: 1, countingMs: 60_000 });
  const socket = await open(port);
  const frames = [1, 2].map((byte) => {
    const request = requestFor('windows', 'vista-business', { nonce: new Uint8Array(32).fill(byte) });
    return encodeFrame(FrameType.activationRequest, encodeActivationRequest(request));
  });
  const bytes = Buffer.concat(frames);
  const sent = bytes.length - 10;
  socket.write(bytes.subarray(0, sent));
  await expect.poll(() => counting.open.length).toBe(1);
  clock.advance(defaultLimits.frameMs);
  // Counting is slow, and still in time.
  for (const batch of [...counting.open]) counting.answer(batch);
  gateway.sweep();
  socket.write(bytes.subarray(sent));
  await expect.poll(() => counting.open.length).toBe(1);
  for (const batch of [...counting.open]) counting.answer(batch);
  expect(gateway.statistics.limits.get('frame-time')).toBeUndefined();
});
