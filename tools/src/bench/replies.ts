import { publicKeyFromJwk, vendorKeys } from '@muster/trust';
import {
  type ChainMemory,
  createChainMemory,
  type Frame,
  FrameType,
  formatUuid,
  parseActivationReply,
  parseActivationResult,
  parseErrorReply,
  verifyActivationReply,
} from '@muster/wire-codec';
import type { Lane } from './lane.ts';
import { question, type RequestFrame } from './request-template.ts';

/** The nonce that a frame answers, or why it is no right answer to anything. */
export type ReadReply = { readonly ok: true; readonly nonce: Uint8Array } | { readonly ok: false; reason: string };

/** Reads an answer of a host as far as its code and its nonce. */
export function readReply({ type, payload }: Frame): ReadReply {
  if (type === FrameType.errorReply) {
    const error = parseErrorReply(payload);
    return { ok: false, reason: error.ok ? `ErrorReply ${error.error.code}` : error.problem.message };
  }
  const reply = parseActivationReply(payload);
  if (!reply.ok) return { ok: false, reason: reply.problem.message };
  const result = parseActivationResult(reply.reply.signedBody);
  if (!result.ok) return { ok: false, reason: result.problem.message };
  const { code, nonce } = result.result;
  // The first machines of a site are below the threshold.
  return code === 'GRANTED' || code === 'COUNT_INSUFFICIENT' ? { ok: true, nonce } : { ok: false, reason: code };
}

/** An answer that is kept to be verified when the round is over. */
interface Sample {
  readonly nonce: Buffer;
  readonly cmid: string;
  readonly payload: Buffer;
  readonly memory: ChainMemory;
}

/** One answer of so many is verified from the vendor's key down. */
const sampledEvery = 50;

/** The answers that are verified, outside the time that is measured. */
export class ReplySamples {
  readonly #samples: Sample[] = [];
  readonly #memories = new Map<Lane, ChainMemory>();
  #answers = 0;

  /** Keeps the first answer of every kept connection, which brings the chain, and one of each 50. */
  offer(lane: Lane, request: RequestFrame, payload: Uint8Array, keepsConnections: boolean): void {
    this.#answers += 1;
    const opensChain = keepsConnections && lane.replies === 0;
    if (!opensChain && this.#answers % sampledEvery !== 1) return;
    const memory = (keepsConnections ? this.#memories.get(lane) : undefined) ?? createChainMemory();
    this.#memories.set(lane, memory);
    this.#samples.push({
      nonce: Buffer.from(request.nonce),
      cmid: formatUuid(request.cmid),
      payload: Buffer.from(payload),
      memory,
    });
  }

  /** @returns why answers cannot be believed, and how many were looked at. */
  async verify(vendorKeyJwk: string): Promise<{ readonly verified: number; readonly reasons: readonly string[] }> {
    const vendors = vendorKeys(publicKeyFromJwk(vendorKeyJwk));
    const reasons: string[] = [];
    for (const { nonce, cmid, payload, memory } of this.#samples) {
      const parsed = parseActivationReply(payload);
      if (!parsed.ok) throw new Error(parsed.problem.message);
      const request = { ...question, nonce, cmid };
      try {
        await verifyActivationReply({ reply: parsed.reply, request, vendorKeys: vendors, nowMs: Date.now(), memory });
      } catch (error) {
        reasons.push((error as Error).message);
      }
    }
    return { verified: this.#samples.length - reasons.length, reasons };
  }
}
