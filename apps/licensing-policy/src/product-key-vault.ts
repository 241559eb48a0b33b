import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { openSecret, type ProductKey, parseProductKey, sealSecret } from '@muster/trust';

const hashContext = 'muster licensing policy, hashes of product keys, v1';
const initializationVectorBytes = 12;

/**
 * How product keys lie in the database: sealed under the key-encryption key, and found by a keyed hash. Whoever has the
 * database alone can neither read a key nor test one.
 */
export class ProductKeyVault {
  readonly #keyEncryptionKey: Uint8Array;
  readonly #hashSecret: Uint8Array;

  /** @param keyEncryptionKey 32 bytes, kept apart from the database. */
  constructor(keyEncryptionKey: Uint8Array) {
    this.#keyEncryptionKey = keyEncryptionKey;
    this.#hashSecret = new Uint8Array(hkdfSync('sha256', keyEncryptionKey, new Uint8Array(), hashContext, 32));
  }

  /** 32 bytes, the same for the same key. */
  hash({ text }: ProductKey): Uint8Array {
    return new Uint8Array(createHmac('sha256', this.#hashSecret).update(text).digest());
  }

  /** @param id of the row that it goes to; it is not opened in another one. */
  seal({ text }: ProductKey, id: string): Uint8Array {
    const vector = randomBytes(initializationVectorBytes);
    return sealSecret(new TextEncoder().encode(text), this.#keyEncryptionKey, vector, purposeOf(id));
  }

  /** @throws MusterError `DOCUMENT_INVALID` when the key-encryption key does not open it. */
  open(sealed: Uint8Array, id: string): ProductKey {
    return parseProductKey(Buffer.from(openSecret(sealed, this.#keyEncryptionKey, purposeOf(id))).toString('utf8'));
  }
}

function purposeOf(id: string): string {
  return `muster product key ${id}`;
}
