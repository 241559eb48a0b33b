import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials } from '@grpc/grpc-js';
import {
  type ConfirmInstallationRequest,
  type ConfirmInstallationResponse,
  type VendorAuthority,
  VendorAuthorityService,
} from '@muster/contracts/vendor';
import { type ErrorCode, MusterError } from '@muster/product-groups';
import { connectTo, createLogger, ManualClock, serveGrpc } from '@muster/service-kit';
import { installationId, issueMakConfirmation, makeProductKey, signingKeyFromSeed } from '@muster/trust';
import {
  encodeFrame,
  encodeMakRequest,
  FrameReader,
  FrameType,
  type MakRequest,
  maximumReplyPayloadBytes,
  parseErrorReply,
  parseMakReply,
} from '@muster/wire-codec';
import { describe, expect, onTestFinished, test } from 'vitest';
import { noonMs } from '../testing/policy-snapshot.ts';
import { ProtocolGateway } from './gateway.ts';
import { gatewayChecks, gatewayStatus } from './gateway-status.ts';
import { defaultLimits, type GatewayLimits } from './limits.ts';
import type { MakAuthority } from './mak-desk.ts';

const mak: MakRequest = {
  nonce: new Uint8Array(32).fill(1),
  productKey: makeProductKey('MAK', new Uint8Array(14).fill(3)).replaceAll('-', ''),
  application: 'windows',
  edition: 'vista-business',
  installationId: installationId(new Uint8Array(32).fill(7), 'windows', 'vista-business'),
  clientVersion: 'test/1',
};

const confirmation = await issueMakConfirmation({
  vendor: 'Example Vendor',
  vendorKey: signingKeyFromSeed(new Uint8Array(32).fill(1)),
  installationId: mak.installationId,
  application: mak.application,
  productGroup: 'vista-vl',
  edition: mak.edition,
  confirmedAtMs: noonMs,
});

/** One call of an authority, which a test answers when it wants to. */
interface Call {
  readonly request: ConfirmInstallationRequest;
  answer(response: ConfirmInstallationResponse): void;
  refuse(error: Error): void;
}

/** An authority that keeps its calls for the test. */
class ControlledAuthority implements MakAuthority {
  readonly open: Call[] = [];

  confirmInstallation(request: ConfirmInstallationRequest): Promise<ConfirmInstallationResponse> {
    return new Promise((answer, refuse) => this.open.push({ request, answer, refuse }));
  }
}

async function startGateway(authority: MakAuthority, limits: Partial<GatewayLimits> = {}) {
  const clock = new ManualClock(noonMs);
  const gateway = new ProtocolGateway({
    gatewayId: 'gateway-1',
    authority,
    clock,
    logger: createLogger('test', 'silent'),
    limits: { ...defaultLimits, drainQuietMs: 0, ...limits },
  });
  const port = await gateway.start('127.0.0.1', 0);
  onTestFinished(() => gateway.drain());
  return { clock, gateway, port };
}

/** A client's connection, and what comes back on it. */
async function open(port: number) {
  const socket = connect({ host: '127.0.0.1', port });
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, 'connect');
  const reader = new FrameReader(maximumReplyPayloadBytes);
  const answers: { readonly code: string; readonly nonce: number | undefined; readonly retryAfterMs?: number }[] = [];
  socket.on('data', (chunk) => {
    for (const { type, payload } of reader.push(chunk).frames) {
      if (type === FrameType.makReply) {
        const parsed = parseMakReply(payload);
        if (!parsed.ok) throw new Error(parsed.problem.message);
        const { code, nonce } = parsed.reply;
        if (parsed.reply.code === 'GRANTED') expect(parsed.reply.confirmation).toBe(confirmation);
        answers.push({ code, nonce: nonce[0] });
      } else {
        const parsed = parseErrorReply(payload);
        if (type !== FrameType.errorReply || !parsed.ok) throw new Error('it is no error reply');
        const { code, nonce, retryAfterMs } = parsed.error;
        answers.push({ code, nonce: nonce?.[0], ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
      }
    }
  });
  const ask = (number: number) => {
    const payload = encodeMakRequest({ ...mak, nonce: new Uint8Array(32).fill(number) });
    socket.write(encodeFrame(FrameType.makRequest, payload));
  };
  return { socket, answers, ask };
}

describe('a gateway with an authority', () => {
  test('hands each request on with the address of its client, and answers in any order', async () => {
    const authority = new ControlledAuthority();
    const { gateway, port } = await startGateway(authority);
    const { answers, ask } = await open(port);
    for (const number of [1, 2, 3]) ask(number);
    await expect.poll(() => authority.open.length).toBe(3);
    const { productKey, application, edition } = mak;
    expect(authority.open[0]?.request).toEqual({
      productKey,
      application,
      installation: { edition, installationId: expect.objectContaining({ length: 32 }) },
      remoteAddress: '127.0.0.1',
    });
    for (const call of [...authority.open].reverse()) call.answer({ confirmation, remaining: 4 });
    await expect.poll(() => answers).toEqual([3, 2, 1].map((nonce) => ({ code: 'GRANTED', nonce })));
    expect(gatewayStatus(gateway)).toMatchObject({ requests: 0, authority: { requests: 3, results: { GRANTED: 3 } } });
  });

  test.each<readonly [ErrorCode, string]>([
    ['MAK_INVALID', 'MAK_INVALID'],
    ['MAK_EXHAUSTED', 'MAK_EXHAUSTED'],
    ['MAK_WRONG_GROUP', 'MAK_WRONG_GROUP'],
    ['KEY_REVOKED', 'KEY_REVOKED'],
    ['KEY_EXPIRED', 'KEY_EXPIRED'],
    ['RATE_LIMITED', 'RATE_LIMITED'],
    ['INPUT_INVALID', 'MALFORMED_REQUEST'],
    ['VENDOR_MISSING', 'UNAVAILABLE'],
    ['NOT_AUTHORISED', 'UNAVAILABLE'],
    ['UNAVAILABLE', 'UNAVAILABLE'],
  ])('answers the refusal %s as %s, also over gRPC', async (code, told) => {
    const implementation = {
      confirmInstallation: () => Promise.reject(new MusterError({ code, message: 'It is refused.' })),
    } as Partial<VendorAuthority>;
    const refuse = async () => Promise.reject(new Error('nobody asks this'));
    const served = { activateHost: refuse, renewHost: refuse, confirmInstallations: refuse, ...implementation };
    const directory = mkdtempSync(join(tmpdir(), 'muster-mak-'));
    onTestFinished(() => rmSync(directory, { recursive: true }));
    const address = `unix:${join(directory, 'authority.sock')}`;
    onTestFinished(await serveGrpc(address, [{ definition: VendorAuthorityService, implementation: served }]));
    const link = connectTo<VendorAuthority>(VendorAuthorityService, address, credentials.createInsecure());
    onTestFinished(() => link.close());
    const { port } = await startGateway(link.service);
    const { answers, ask } = await open(port);
    ask(1);
    await expect.poll(() => answers, { timeout: 20_000 }).toMatchObject([{ code: told, nonce: 1 }]);
    const [answer] = answers;
    expect(answer?.retryAfterMs !== undefined).toBe(told === 'UNAVAILABLE' || told === 'RATE_LIMITED');
  });

  test('answers UNAVAILABLE when the authority is silent, and drops what it says too late', async () => {
    const authority = new ControlledAuthority();
    const { clock, gateway, port } = await startGateway(authority);
    const [check] = gatewayChecks(gateway, undefined);
    expect(await check?.look()).toMatchObject({ ok: true });
    const { answers, ask } = await open(port);
    ask(1);
    await expect.poll(() => authority.open.length).toBe(1);
    clock.advance(defaultLimits.authorityMs - 1);
    gateway.sweep();
    expect(gateway.authority?.inFlight).toBe(1);
    ask(2);
    await expect.poll(() => authority.open.length).toBe(2);
    clock.advance(1);
    gateway.sweep();
    await expect.poll(() => answers).toMatchObject([{ code: 'UNAVAILABLE', nonce: 1 }]);
    expect(answers[0]?.retryAfterMs).toBeGreaterThanOrEqual(1_000);
    expect(await check?.look()).toMatchObject({ ok: false });
    for (const call of authority.open) call.answer({ confirmation, remaining: 1 });
    await expect.poll(() => answers.length).toBe(2);
    expect(answers[1]).toEqual({ code: 'GRANTED', nonce: 2 });
    expect(await check?.look()).toMatchObject({ ok: true });
    expect(gateway.authority).toEqual({ inFlight: 0, problem: undefined });
  });

  test('lets no more requests wait than it may', async () => {
    const authority = new ControlledAuthority();
    const { gateway, port } = await startGateway(authority, { makInFlight: 2 });
    const { answers, ask } = await open(port);
    for (const number of [1, 2, 3]) ask(number);
    await expect.poll(() => answers).toMatchObject([{ code: 'RATE_LIMITED', nonce: 3 }]);
    expect(authority.open).toHaveLength(2);
    for (const call of authority.open) call.answer({ confirmation, remaining: 1 });
    await expect.poll(() => answers.length).toBe(3);
    ask(4);
    await expect.poll(() => authority.open.length).toBe(3);
    expect(gateway.statistics.limits.get('in-flight')).toBe(1);
    authority.open[2]?.answer({ confirmation, remaining: 1 });
  });

  test('holds the request rate of an address against MAK requests', async () => {
    const authority = new ControlledAuthority();
    const { gateway, port } = await startGateway(authority, { requestRatePerAddress: 1, ratesOnLoopback: true });
    const { answers, ask } = await open(port);
    for (let number = 1; number <= 6; number += 1) ask(number);
    await expect.poll(() => answers).toMatchObject([{ code: 'RATE_LIMITED', nonce: 6 }]);
    expect(authority.open).toHaveLength(5);
    expect(gateway.statistics.limits.get('request-rate')).toBe(1);
    for (const call of authority.open) call.answer({ confirmation, remaining: 1 });
    await expect.poll(() => answers.length).toBe(6);
  });

  test('survives a client that has gone, an authority that sends nonsense, and a request that is none', async () => {
    const authority = new ControlledAuthority();
    const { gateway, port } = await startGateway(authority);
    const gone = await open(port);
    gone.ask(1);
    await expect.poll(() => authority.open.length).toBe(1);
    gone.socket.destroy();
    await once(gone.socket, 'close');
    authority.open[0]?.answer({ confirmation, remaining: 1 });
    await expect.poll(() => gateway.connectionsOpen).toBe(0);
    const { socket, answers, ask } = await open(port);
    ask(2);
    await expect.poll(() => authority.open.length).toBe(2);
    authority.open[1]?.answer({ confirmation: 'nonsense', remaining: 1 });
    await expect.poll(() => answers).toMatchObject([{ code: 'UNAVAILABLE', nonce: 2 }]);
    socket.write(encodeFrame(FrameType.makRequest, encodeMakRequest({ ...mak, productKey: 'SHORT' })));
    await expect.poll(() => answers.slice(1)).toEqual([{ code: 'MALFORMED_REQUEST', nonce: 1 }]);
    expect(gateway.authority?.inFlight).toBe(0);
  });

  test('takes no activation requests without policy, and is drained when what waits is answered', async () => {
    const authority = new ControlledAuthority();
    const { gateway, port } = await startGateway(authority);
    const { socket, answers, ask } = await open(port);
    socket.write(encodeFrame(FrameType.activationRequest, Uint8Array.of(1)));
    await expect.poll(() => answers).toEqual([{ code: 'MALFORMED_REQUEST', nonce: undefined }]);
    ask(1);
    await expect.poll(() => authority.open.length).toBe(1);
    const drained = gateway.drain();
    authority.open[0]?.answer({ confirmation, remaining: 1 });
    await drained;
    await expect.poll(() => answers.slice(1)).toEqual([{ code: 'GRANTED', nonce: 1 }]);
  });
});
