import { type BatchProof, type SigningKey, signBatch } from '@muster/trust';
import { type ActivationResult, encodeActivationResult } from './activation-result.ts';

/** A result as it leaves the gateway: its exact bytes and the proof over them. */
export interface SignedResult {
  readonly signedBody: Uint8Array;
  readonly proof: BatchProof;
}

/**
 * Encodes and signs 1 to 256 results by one signature of the gateway's key, in order (DESIGN 3).
 * Throws RangeError for another number of results.
 */
export function signResults(results: readonly ActivationResult[], gatewayKey: SigningKey): readonly SignedResult[] {
  const bodies = results.map(encodeActivationResult);
  const proofs = signBatch(bodies, gatewayKey);
  return proofs.map((proof, index) => ({ signedBody: bodies[index] ?? new Uint8Array(), proof }));
}
