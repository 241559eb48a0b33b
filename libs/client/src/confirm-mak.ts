import { randomBytes } from 'node:crypto';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { MusterError } from '@muster/product-groups';
import type { MakConfirmation, VendorKeys } from '@muster/trust';
import {
  encodeFrame,
  encodeMakRequest,
  type Frame,
  FrameReader,
  FrameType,
  type MakRequest,
  maximumReplyPayloadBytes,
  nonceBytes,
  parseErrorReply,
  parseMakReply,
  verifyConfirmationFor,
} from '@muster/wire-codec';
import { AdvisedError } from './advised-error.ts';

/** What a client asks; the nonce is added to it. */
export type MakQuestion = Omit<MakRequest, 'nonce'>;

/** Where a gateway in front of a vendor's authority is, and whom the client believes. */
export interface MakGateway {
  /** Name or address of the gateway. */
  readonly host: string;
  readonly port: number;
  /** The vendors whose confirmations are believed. */
  readonly vendorKeys: VendorKeys;
  /**
   * TLS to something in front of the gateway that ends it, with the authorities its certificate may come from, PEM, or
   * those of the system. Without TLS everybody on the way reads the product key.
   */
  readonly tls?: { readonly ca?: string };
  /** Longest wait for the connection; 2,000 unless told. */
  readonly connectMs?: number;
  /** Longest wait for the answer; 15,000 unless told: an authority may take its time. */
  readonly answerMs?: number;
}

/** A confirmation that was verified. */
export interface ConfirmedInstallation extends MakConfirmation {
  /** The JWT itself: whoever has it can verify it again, at any time and without asking anybody. */
  readonly confirmation: string;
}

/**
 * Asks a vendor's authority, through a gateway in front of it, to confirm an installation by a MAK, and verifies the
 * confirmation. Asking again for the same installation uses nothing and gets the same confirmation.
 *
 * @throws MusterError `HOST_UNREACHABLE`, `UNTRUSTED_HOST` when the reply is none to this request, `CONFIRMATION_INVALID`
 * when the confirmation does not prove what was asked for; AdvisedError with the code of a refusal, which is unsigned.
 *
 * @example
 * const { confirmation } = await confirmMak({ host: 'activation.vendor.example', port: 1688, vendorKeys, tls: {} }, question);
 */
export async function confirmMak(gateway: MakGateway, question: MakQuestion): Promise<ConfirmedInstallation> {
  const request = { ...question, nonce: randomBytes(nonceBytes) };
  // First, because it throws for a question that cannot be asked.
  const sent = encodeFrame(FrameType.makRequest, encodeMakRequest(request));
  const socket = await open(gateway);
  try {
    const confirmation = takeConfirmation(gateway, request, await exchange(gateway, socket, sent));
    const confirmed = await verifyConfirmationFor(confirmation, request, gateway.vendorKeys);
    return { ...confirmed, confirmation };
  } finally {
    socket.destroy();
  }
}

/** Connects, by TLS where it is asked for. */
function open(gateway: MakGateway): Promise<Socket> {
  const { host, port, tls, connectMs = 2_000 } = gateway;
  return new Promise((resolve, reject) => {
    // A server is not named by its address (RFC 6066).
    const servername = isIP(host) === 0 ? { servername: host } : {};
    const socket =
      tls === undefined ? connect({ host, port, noDelay: true }) : connectTls({ host, port, ...servername, ...tls });
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${connectMs} ms`)), connectMs);
    const refuse = (error: Error) => reject(unreachable(gateway, describe(error), error));
    socket.once('error', refuse);
    socket.once('close', () => {
      clearTimeout(timer);
      refuse(new Error('the connection was closed'));
    });
    socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer);
      resolve(socket);
    });
  });
}

/** Sends one frame and waits for the one that answers it. */
function exchange(gateway: MakGateway, socket: Socket, sent: Uint8Array): Promise<Frame> {
  const { answerMs = 15_000 } = gateway;
  const reader = new FrameReader(maximumReplyPayloadBytes);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(unreachable(gateway, `no answer within ${answerMs} ms`)), answerMs);
    socket.on('data', (chunk) => {
      const { frames, problem } = reader.push(chunk);
      const [answer] = frames;
      if (answer !== undefined) resolve(answer);
      else if (problem !== undefined)
        reject(untrusted(gateway, `what it sent is not the activation protocol (${problem.kind})`));
    });
    socket.on('error', (error) => reject(unreachable(gateway, describe(error), error)));
    socket.on('close', () => {
      clearTimeout(timer);
      reject(unreachable(gateway, 'the connection was closed before the answer'));
    });
    socket.write(sent);
  });
}

/** The confirmation that a frame brings for a request; whatever else it says is thrown. */
function takeConfirmation(gateway: MakGateway, { nonce }: MakRequest, frame: Frame): string {
  if (frame.type === FrameType.errorReply) {
    const parsed = parseErrorReply(frame.payload);
    throw parsed.ok ? new AdvisedError(parsed.error) : untrusted(gateway, parsed.problem.message);
  }
  if (frame.type !== FrameType.makReply) throw untrusted(gateway, `it answered by a frame of type ${frame.type}`);
  const parsed = parseMakReply(frame.payload);
  if (!parsed.ok) throw untrusted(gateway, parsed.problem.message);
  const { reply } = parsed;
  if (Buffer.compare(reply.nonce, nonce) !== 0) throw untrusted(gateway, 'its reply belongs to another request');
  if (reply.code !== 'GRANTED') throw new AdvisedError(reply);
  return reply.confirmation;
}

function unreachable({ host, port }: MakGateway, reason: string, cause?: unknown): MusterError {
  const message = `${host}:${port} could not be asked: ${reason}.`;
  return new MusterError({ code: 'HOST_UNREACHABLE', message, cause });
}

function untrusted({ host, port }: MakGateway, reason: string): MusterError {
  const message = `${host}:${port} cannot be trusted: ${reason.replace(/\.$/, '')}.`;
  return new MusterError({ code: 'UNTRUSTED_HOST', message });
}

/** An attempt on several addresses fails with an AggregateError that says nothing itself. */
function describe(error: Error): string {
  return error instanceof AggregateError ? error.errors.map((each: Error) => each.message).join('; ') : error.message;
}
