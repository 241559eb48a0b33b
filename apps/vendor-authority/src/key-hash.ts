import { createHmac, hkdfSync } from 'node:crypto';
import type { ProductKey } from '@muster/trust';

const context = 'muster vendor authority, hashes of product keys, v1';
const secretBytes = 32;

/**
 * What product keys are stored as and found by: an HMAC-SHA-256 under a secret that comes from the key-encryption key
 * (HKDF, RFC 5869) and is not the one that seals the root. Whoever has the database alone can test no key by it.
 */
export class KeyHasher {
  readonly #secret: Uint8Array;

  /** @param keyEncryptionKey 32 bytes, kept apart from the database. */
  constructor(keyEncryptionKey: Uint8Array) {
    this.#secret = new Uint8Array(hkdfSync('sha256', keyEncryptionKey, new Uint8Array(), context, secretBytes));
  }

  /** 32 bytes. */
  hash(key: ProductKey): Uint8Array {
    return new Uint8Array(createHmac('sha256', this.#secret).update(key.text).digest());
  }
}
