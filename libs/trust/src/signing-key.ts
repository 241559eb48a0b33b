import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { refusal } from './refusals.ts';

/** Length of an Ed25519 seed in bytes (RFC 8032). */
export const seedBytes = 32;

// The fixed start of an Ed25519 PKCS #8 private key (RFC 8410); the 32 bytes of the seed follow.
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** A key that signs: of a vendor, a host or a gateway (DESIGN 3). */
export interface SigningKey {
  /** 32 bytes. */
  readonly publicKey: Uint8Array;
  readonly privateKey: KeyObject;
}

/**
 * The Ed25519 key of a seed of 32 random bytes (RFC 8032); the same seed gives the same key.
 * Throws DOCUMENT_INVALID for another length.
 *
 * @example
 * const vendor = signingKeyFromSeed(randomBytes(32));
 */
export function signingKeyFromSeed(seed: Uint8Array): SigningKey {
  if (seed.length !== seedBytes) {
    throw refusal(
      'DOCUMENT_INVALID',
      `The seed of a signing key has ${seedBytes} bytes, not ${seed.length}.`,
      'Use 32 random bytes as the seed.',
    );
  }
  const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { publicKey: new Uint8Array(spki.subarray(-32)), privateKey };
}
