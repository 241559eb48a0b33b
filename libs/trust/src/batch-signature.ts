import { sign, verify } from 'node:crypto';
import { hashBytes, leafHash, merkleLevels, merklePath, rootFrom } from './merkle-tree.ts';
import { publicKeyBytes, publicKeyObject } from './public-key.ts';
import type { SigningKey } from './signing-key.ts';

/** The most messages that one signature covers (DESIGN 4.1). */
export const maximumBatchMessages = 256;

/** The longest path: a tree over 256 leaves has 8 levels below its root. */
export const maximumPathEntries = 8;

/** Length of an Ed25519 signature in bytes (RFC 8032). */
export const signatureBytes = 64;

// Stands before the root under the signature, so that no other signature of ours can pass for one over a batch.
const context = new TextEncoder().encode('muster/activation-result/v1\0');

/** That a message is a leaf of a signed Merkle tree (DESIGN 3; message `Proof` of activation.proto). */
export interface BatchProof {
  /** Ed25519 over the context and the root, 64 bytes, the same for the whole batch. */
  readonly signature: Uint8Array;
  /** Position of the leaf, from 0. */
  readonly leafIndex: number;
  /** The neighbours from the leaf to the root, 32 bytes each, at most 8. */
  readonly path: readonly Uint8Array[];
}

/**
 * Signs 1 to 256 messages by one Ed25519 signature over a Merkle root and returns a proof for each, in order.
 * Throws RangeError for another number: the caller cuts its batches.
 *
 * @example
 * const [proof] = signBatch([body], gatewayKey);
 */
export function signBatch(messages: readonly Uint8Array[], key: SigningKey): readonly BatchProof[] {
  if (messages.length < 1 || messages.length > maximumBatchMessages) {
    throw new RangeError(`a batch has 1 to ${maximumBatchMessages} messages, not ${messages.length}`);
  }
  const levels = merkleLevels(messages);
  const root = levels.at(-1)?.[0] ?? new Uint8Array();
  const signature: Uint8Array = sign(null, withContext(root), key.privateKey);
  return messages.map((_, leafIndex) => ({ signature, leafIndex, path: merklePath(levels, leafIndex) }));
}

/**
 * Whether the proof shows that the key signed exactly this message. False for anything malformed: a signature that is
 * not 64 bytes, more than 8 path entries or one that is not 32 bytes, an index with bits beyond the path. Never throws.
 */
export function verifyBatchProof(message: Uint8Array, proof: BatchProof, publicKey: Uint8Array): boolean {
  const { signature, leafIndex, path } = proof;
  if (publicKey.length !== publicKeyBytes || signature.length !== signatureBytes) return false;
  if (path.length > maximumPathEntries || path.some((entry) => entry.length !== hashBytes)) return false;
  if (!Number.isInteger(leafIndex) || leafIndex < 0 || leafIndex >= 2 ** path.length) return false;
  const root = rootFrom(leafHash(message), leafIndex, path);
  return verify(null, withContext(root), publicKeyObject(publicKey), signature);
}

function withContext(root: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(context.length + root.length);
  bytes.set(context);
  bytes.set(root, context.length);
  return bytes;
}
