import { randomBytes } from 'node:crypto';
import { Socket } from 'node:net';
import type { ActivationQuestion } from '@muster/client';
import type { VendorKeys } from '@muster/trust';
import {
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
  verifyActivationReply,
} from '@muster/wire-codec';
import type { FailureReason, Outcome } from '../answer-record.ts';

/** Where a connection goes and what it is judged by. */
export interface LoadConnectionOptions {
  readonly host: string;
  readonly port: number;
  /** The address of the client, one of loopback. */
  readonly localAddress: string;
  readonly vendorKeys: VendorKeys;
  readonly connectMs: number;
  readonly answerMs: number;
  /** Called when the connection was reset while nothing was asked over it. */
  onIdleReset(): void;
}

interface Waiting {
  readonly request: ActivationRequest;
  readonly timer: NodeJS.Timeout;
  settle(outcome: Outcome): void;
}

/**
 * A client's connection that tells exactly how each request ended. It is what `ActivationConnection` of libs/client is,
 * with the same verification of every reply, but tells a reset from an end in order, also when nothing was under way.
 */
export class LoadConnection {
  readonly #options: LoadConnectionOptions;
  readonly #socket = new Socket();
  readonly #reader = new FrameReader(maximumReplyPayloadBytes);
  readonly #memory = createChainMemory();
  readonly #waiting = new Map<string, Waiting>();
  #connected = false;
  #ended = false;
  /** Replies are verified one after the other: a later one may lean on what an earlier one brought. */
  #verified: Promise<void> = Promise.resolve();

  constructor(options: LoadConnectionOptions) {
    this.#options = options;
    const { host, port, localAddress, connectMs } = options;
    const socket = this.#socket;
    const timer = setTimeout(() => this.#end('unconnected', `no connection within ${connectMs} ms`), connectMs);
    socket.once('connect', () => {
      clearTimeout(timer);
      this.#connected = true;
    });
    socket.on('data', (chunk) => this.#receive(chunk));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      if (error.code === 'ECONNREFUSED') this.#end('refused', error.message);
      else this.#endAfterVerification('reset', error.message);
    });
    socket.on('end', () => this.#endAfterVerification('closed', 'the host ended the connection'));
    socket.setNoDelay(true);
    socket.connect({ host, port, localAddress });
  }

  /** Whether another request may be sent. */
  get usable(): boolean {
    return !this.#ended;
  }

  /** Asks once. Never rejects. */
  ask(question: ActivationQuestion, clientTimeMs: number): Promise<Outcome> {
    const request = { ...question, nonce: randomBytes(nonceBytes), clientTimeMs };
    const key = keyOf(request.nonce);
    return new Promise((resolve) => {
      const settle = (outcome: Outcome) => {
        clearTimeout(timer);
        this.#waiting.delete(key);
        resolve(outcome);
      };
      const timer = setTimeout(() => {
        settle(failed('silence', `no answer within ${this.#options.answerMs} ms`));
        // A client does not stay with a host that does not answer.
        this.#end('closed', 'an earlier request was not answered');
      }, this.#options.answerMs);
      this.#waiting.set(key, { request, timer, settle });
      if (this.#ended) settle(failed('closed', 'the connection had ended'));
      else this.#socket.write(encodeFrame(FrameType.activationRequest, encodeActivationRequest(request)));
    });
  }

  /** Ends the connection in order. */
  close(): void {
    this.#end('closed', 'the client ended the connection');
  }

  #receive(chunk: Uint8Array): void {
    const { frames, problem } = this.#reader.push(chunk);
    this.#verified = this.#verified.then(async () => {
      for (const frame of frames) await this.#take(frame);
      if (problem !== undefined) this.#end('untrusted', `not the activation protocol: ${problem.kind}`);
    });
  }

  async #take({ type, payload }: Frame): Promise<void> {
    if (type === FrameType.errorReply) this.#takeError(payload);
    else if (type === FrameType.activationReply) await this.#takeReply(payload);
    else this.#end('untrusted', `a frame of type ${type} that nobody asked for`);
  }

  #takeError(payload: Uint8Array): void {
    const parsed = parseErrorReply(payload);
    if (!parsed.ok) {
      this.#end('untrusted', parsed.problem.message);
      return;
    }
    const { nonce, code, retryAfterMs = 0 } = parsed.error;
    const outcome: Outcome = { kind: 'advice', code, retryAfterMs };
    if (nonce === undefined) for (const waiting of [...this.#waiting.values()]) waiting.settle(outcome);
    else this.#waiting.get(keyOf(nonce))?.settle(outcome);
  }

  async #takeReply(payload: Uint8Array): Promise<void> {
    const parsed = parseActivationReply(payload);
    const result = parsed.ok ? parseActivationResult(parsed.reply.signedBody) : undefined;
    if (!parsed.ok || !result?.ok) {
      this.#end('untrusted', 'a reply that cannot be read');
      return;
    }
    const waiting = this.#waiting.get(keyOf(result.result.nonce));
    if (waiting === undefined) return; // Its time was over.
    const { vendorKeys } = this.#options;
    const { reply } = parsed;
    try {
      const { code, activationId, count, threshold } = await verifyActivationReply({
        reply,
        request: waiting.request,
        vendorKeys,
        nowMs: Date.now(),
        memory: this.#memory,
      });
      waiting.settle({ kind: 'answer', code, activationId, count, threshold });
    } catch (error) {
      waiting.settle(failed('untrusted', (error as Error).message));
    }
  }

  #endAfterVerification(reason: FailureReason, detail: string): void {
    if (this.#ended) return;
    if (reason === 'reset' && this.#waiting.size === 0) this.#options.onIdleReset();
    this.#ended = true;
    this.#verified = this.#verified.then(() => this.#end(reason, detail));
  }

  #end(reason: FailureReason, detail: string): void {
    this.#ended = true;
    for (const waiting of [...this.#waiting.values()]) waiting.settle(failed(reason, detail));
    if (this.#connected) this.#socket.end();
    else this.#socket.destroy();
  }
}

function keyOf(nonce: Uint8Array): string {
  return Buffer.from(nonce.buffer, nonce.byteOffset, nonce.byteLength).toString('latin1');
}

function failed(reason: FailureReason, detail: string): Outcome {
  return { kind: 'failed', reason, detail };
}
