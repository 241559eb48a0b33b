import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { MusterError } from '@muster/product-groups';
import type { VendorKeys } from '@muster/trust';
import {
  type ActivationReply,
  type ActivationRequest,
  createChainMemory,
  encodeActivationRequest,
  encodeFrame,
  type Frame,
  FrameReader,
  FrameType,
  maximumReplyPayloadBytes,
  nonceBytes,
  parseActivationReply,
  parseActivationResult,
  parseErrorReply,
  type VerifiedActivation,
  verifyActivationReply,
} from '@muster/wire-codec';
import { AdvisedError } from './advised-error.ts';

/** What a client says about itself; the nonce and the time are added to it. */
export type ActivationQuestion = Omit<ActivationRequest, 'nonce' | 'clientTimeMs'>;

/** Where a host is, and how its answers are judged. */
export interface ActivationConnectionOptions {
  /** Name or address of the host. */
  readonly host: string;
  readonly port: number;
  /** The vendors whose hosts are believed. */
  readonly vendorKeys: VendorKeys;
  /** The client's clock, milliseconds since 1970. */
  readonly nowMs?: () => number;
  /** Longest wait for the connection; 2,000 unless told. */
  readonly connectMs?: number;
  /** Longest wait for an answer; 10,000 unless told. */
  readonly answerMs?: number;
}

/** Requests without an answer that a connection remembers, for answers that come too late. */
const mostGivenUp = 1_000;

interface Waiting {
  readonly request: ActivationRequest;
  readonly timer: NodeJS.Timeout;
  resolve(activation: VerifiedActivation): void;
  reject(error: Error): void;
}

/**
 * A connection to one host, kept for any number of requests, several of them under way at once.
 *
 * @example
 * const connection = await ActivationConnection.open({ host: 'kms.example', port: 1688, vendorKeys });
 * const { code, expiresAtMs } = await connection.activate({ application: 'windows', edition: 'vista-business', ... });
 * connection.close();
 */
export class ActivationConnection {
  readonly #socket: Socket;
  readonly #options: ActivationConnectionOptions;
  readonly #waiting = new Map<string, Waiting>();
  /** Requests whose time was over; their answers may still come. */
  readonly #givenUp = new Set<string>();
  readonly #reader = new FrameReader(maximumReplyPayloadBytes);
  readonly #memory = createChainMemory();
  #verified: Promise<void> = Promise.resolve();

  private constructor(socket: Socket, options: ActivationConnectionOptions) {
    this.#socket = socket;
    this.#options = options;
    socket.on('data', (chunk) => this.#receive(chunk));
    // After what has arrived: its verification may still be under way.
    const failAfterwards = (error: Error) => {
      this.#verified = this.#verified.then(() => this.#fail(error));
    };
    socket.on('error', (error) => failAfterwards(unreachable(options, error.message, error)));
    socket.on('close', () => failAfterwards(unreachable(options, 'the connection was closed before the answer')));
  }

  /**
   * Connects.
   *
   * @throws MusterError `HOST_UNREACHABLE`.
   */
  static open(options: ActivationConnectionOptions): Promise<ActivationConnection> {
    const { host, port, connectMs = 2_000 } = options;
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port, noDelay: true });
      const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${connectMs} ms`)), connectMs);
      const refuse = (error: Error) => reject(unreachable(options, describe(error), error));
      socket.once('error', refuse);
      socket.once('close', () => clearTimeout(timer));
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', refuse);
        resolve(new ActivationConnection(socket, options));
      });
    });
  }

  /**
   * Asks for one activation and verifies the answer: a grant or a refusal, signed by the host.
   *
   * @throws MusterError `HOST_UNREACHABLE`, `UNTRUSTED_HOST`; AdvisedError with the host's code when it sent an unsigned
   * error.
   */
  activate(question: ActivationQuestion): Promise<VerifiedActivation> {
    const { nowMs = Date.now, answerMs = 10_000 } = this.#options;
    const request = { ...question, nonce: randomBytes(nonceBytes), clientTimeMs: nowMs() };
    const key = keyOf(request.nonce);
    return new Promise((resolve, reject) => {
      // First, because it throws for a question that cannot be asked, which then leaves nothing behind.
      const frame = encodeFrame(FrameType.activationRequest, encodeActivationRequest(request));
      const end = () => {
        clearTimeout(timer);
        this.#waiting.delete(key);
      };
      const timer = setTimeout(() => {
        end();
        this.#giveUp(key);
        reject(unreachable(this.#options, `no answer within ${answerMs} ms`));
      }, answerMs);
      this.#waiting.set(key, {
        request,
        timer,
        resolve: (activation) => {
          end();
          resolve(activation);
        },
        reject: (error) => {
          end();
          reject(error);
        },
      });
      if (this.#socket.writable) {
        this.#socket.write(frame);
      } else {
        this.#fail(unreachable(this.#options, 'the connection is closed'));
      }
    });
  }

  /** Ends the connection; requests under way fail. */
  close(): void {
    this.#socket.end();
    this.#socket.destroySoon();
  }

  #receive(chunk: Uint8Array): void {
    const { frames, problem } = this.#reader.push(chunk);
    // One after the other: a reply may lean on the credential that an earlier one brought.
    for (const frame of frames) this.#verified = this.#verified.then(() => this.#take(frame));
    if (problem === undefined) return;
    this.#verified = this.#verified.then(() => {
      this.#fail(untrusted(this.#options, `what it sent is not the activation protocol (${problem.kind})`));
      this.#socket.destroy();
    });
  }

  async #take(frame: Frame): Promise<void> {
    if (frame.type === FrameType.activationReply) await this.#takeReply(frame.payload);
    else if (frame.type === FrameType.errorReply) this.#takeError(frame.payload);
  }

  async #takeReply(payload: Uint8Array): Promise<void> {
    const parsed = parseActivationReply(payload);
    if (!parsed.ok) {
      this.#fail(untrusted(this.#options, parsed.problem.message));
      return;
    }
    const waiting = this.#waitingFor(parsed.reply);
    if (waiting === undefined) {
      this.#fail(untrusted(this.#options, 'the reply belongs to no request of this connection'));
      return;
    }
    if (waiting === 'given-up') {
      // Too late to be an answer, but a later reply may lean on the chain that it brings.
      await this.#memory.receive(parsed.reply, this.#options.vendorKeys).catch((error) => this.#fail(error));
      return;
    }
    try {
      waiting.resolve(
        await verifyActivationReply({
          reply: parsed.reply,
          request: waiting.request,
          vendorKeys: this.#options.vendorKeys,
          nowMs: (this.#options.nowMs ?? Date.now)(),
          memory: this.#memory,
        }),
      );
    } catch (error) {
      waiting.reject(error as Error);
    }
  }

  #takeError(payload: Uint8Array): void {
    const parsed = parseErrorReply(payload);
    if (!parsed.ok) {
      this.#fail(untrusted(this.#options, parsed.problem.message));
      return;
    }
    const key = parsed.error.nonce === undefined ? '' : keyOf(parsed.error.nonce);
    if (this.#givenUp.delete(key)) return; // Too late: nobody waits for it.
    const waiting = this.#waiting.get(key);
    const error = new AdvisedError(parsed.error);
    if (waiting === undefined) this.#fail(error);
    else waiting.reject(error);
  }

  /**
   * The request that a reply answers. Its nonce is read before it is verified, only to find the request: the
   * verification compares it again. A reply to nobody is shown to the only request that waits, which refuses it.
   */
  #waitingFor(reply: ActivationReply): Waiting | 'given-up' | undefined {
    const result = parseActivationResult(reply.signedBody);
    const key = result.ok ? keyOf(result.result.nonce) : '';
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) return waiting;
    if (this.#givenUp.delete(key)) return 'given-up';
    return this.#waiting.size === 1 ? this.#waiting.values().next().value : undefined;
  }

  /** Remembers the youngest of the requests that nobody waits for any more. */
  #giveUp(key: string): void {
    this.#givenUp.add(key);
    const [oldest] = this.#givenUp;
    if (this.#givenUp.size > mostGivenUp && oldest !== undefined) this.#givenUp.delete(oldest);
  }

  #fail(error: Error): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
  }
}

function keyOf(nonce: Uint8Array): string {
  return Buffer.from(nonce.buffer, nonce.byteOffset, nonce.byteLength).toString('latin1');
}

function unreachable(
  { host, port }: Pick<ActivationConnectionOptions, 'host' | 'port'>,
  reason: string,
  cause?: unknown,
): MusterError {
  return new MusterError({
    code: 'HOST_UNREACHABLE',
    message: `${host}:${port} could not be asked: ${reason}.`,
    cause,
  });
}

function untrusted({ host, port }: Pick<ActivationConnectionOptions, 'host' | 'port'>, reason: string): MusterError {
  return new MusterError({ code: 'UNTRUSTED_HOST', message: `${host}:${port} cannot be trusted: ${reason}` });
}

/** An attempt on several addresses fails with an AggregateError that says nothing itself. */
function describe(error: Error): string {
  return error instanceof AggregateError ? error.errors.map((each: Error) => each.message).join('; ') : error.message;
}
