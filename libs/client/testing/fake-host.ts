import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import {
  issueGatewayCredential,
  issueHostCertificate,
  type SigningKey,
  signingKeyFromSeed,
  vendorKeys,
} from '@muster/trust';
import {
  type ActivationReply,
  type ActivationResult,
  type ErrorReply,
  encodeActivationReply,
  encodeErrorReply,
  encodeFrame,
  FrameReader,
  FrameType,
  maximumRequestPayloadBytes,
  parseActivationRequest,
  type ReceivedActivationRequest,
  signResults,
} from '@muster/wire-codec';
import { onTestFinished } from 'vitest';

const keyOf = (byte: number): SigningKey => signingKeyFromSeed(new Uint8Array(32).fill(byte));
const [vendor, host, gateway] = [keyOf(1), keyOf(2), keyOf(3)];
const dayMs = 86_400_000;

/** A gateway key that no host has certified. */
export const strangerKey = keyOf(9);

/** What clients of the vendor trust. */
export const trusted = vendorKeys(vendor.publicKey);

/** The time at which everything here happens: 2026-11-24T12:00:00Z. */
export const noonMs = 1_795_521_600_000;

export const hostId = '3f2b8c1e-7a4d-4e6f-9b0a-1c2d3e4f5a6b';

const chain = {
  hostCertificate: await issueHostCertificate({
    vendor: 'Example Vendor',
    vendorKey: vendor,
    hostId,
    hostPublicKey: host.publicKey,
    application: 'windows',
    productGroup: 'vista-vl',
    editions: ['vista-business', 'vista-enterprise'],
    issuedAtMs: noonMs - dayMs,
    expiresAtMs: noonMs + dayMs,
  }),
  gatewayCredential: await issueGatewayCredential({
    hostKey: host,
    gatewayId: 'gateway-1',
    gatewayPublicKey: gateway.publicKey,
    issuedAtMs: noonMs - 1000,
    expiresAtMs: noonMs + dayMs / 2,
  }),
};

/** The host's side of one connection: it does what a test wants of it. */
export class HostConnection {
  readonly socket: Socket;

  constructor(socket: Socket) {
    this.socket = socket;
  }

  /** Grants a request by a reply that brings credential and certificate. */
  grant(request: ReceivedActivationRequest, change: Partial<ActivationResult> = {}): void {
    this.reply({ ...signedGrant(request, change), ...chain });
  }

  /** Grants a request by a reply that leaves out credential and certificate. */
  grantShortly(request: ReceivedActivationRequest, change: Partial<ActivationResult> = {}): void {
    this.reply(signedGrant(request, change));
  }

  /** Grants a request by a signature that nothing certifies. */
  forge(request: ReceivedActivationRequest): void {
    this.reply({ ...signedGrant(request, {}, strangerKey), ...chain });
  }

  reply(reply: ActivationReply): void {
    this.socket.write(encodeFrame(FrameType.activationReply, encodeActivationReply(reply)));
  }

  advise(error: ErrorReply): void {
    this.socket.write(encodeFrame(FrameType.errorReply, encodeErrorReply(error)));
  }
}

/** The frame by which `HostConnection.grant` answers. */
export function grantFrame(request: ReceivedActivationRequest): Uint8Array {
  return encodeFrame(FrameType.activationReply, encodeActivationReply({ ...signedGrant(request, {}), ...chain }));
}

function signedGrant(request: ReceivedActivationRequest, change: Partial<ActivationResult>, key = gateway) {
  const validityMinutes = 180 * 24 * 60;
  const result: ActivationResult = {
    code: 'GRANTED',
    nonce: request.nonce,
    application: request.application,
    edition: request.edition,
    cmid: request.cmid,
    count: 30,
    threshold: 25,
    activationIntervalMinutes: 120,
    renewalIntervalMinutes: 10_080,
    validityMinutes,
    issuedAtMs: noonMs,
    expiresAtMs: noonMs + validityMinutes * 60_000,
    hostId,
    activationId: '0193c1d2-5a6b-7c8d-9e0f-a1b2c3d4e5f6',
    graceMinutes: 43_200,
    ...change,
  };
  const [signed] = signResults([result], key);
  if (signed === undefined) throw new Error('nothing was signed');
  return signed;
}

/**
 * A host on loopback that hands each request to the test.
 *
 * @returns its port.
 */
export async function startHost(
  onRequest: (connection: HostConnection, request: ReceivedActivationRequest) => void,
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    const connection = new HostConnection(socket);
    const reader = new FrameReader(maximumRequestPayloadBytes);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (const { payload } of reader.push(chunk).frames) {
        const parsed = parseActivationRequest(payload);
        if (!parsed.ok) throw new Error(`the client sent a bad request: ${parsed.problem.message}`);
        onRequest(connection, parsed.request);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the host has no port');
  return address.port;
}
