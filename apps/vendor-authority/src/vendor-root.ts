import { randomBytes } from 'node:crypto';
import { MusterError } from '@muster/product-groups';
import {
  keyId,
  openPrivateKey,
  publicKeyFromJwk,
  publicKeyToJwk,
  type SigningKey,
  sealPrivateKey,
  signingKeyFromSeed,
  type VendorKeys,
  vendorKeys,
} from '@muster/trust';
import type { Actor } from './actor.ts';
import type { VendorRow } from './rows.ts';
import { createVendorStatement, readVendorStatement } from './statements.ts';
import { queryOne, type Store } from './store.ts';

const seedBytes = 32;
const initializationVectorBytes = 12;

/** The vendor: its name and the root key that signs everything (DESIGN 3). */
export interface VendorRoot {
  readonly name: string;
  readonly key: SigningKey;
  /** The public key alone, to verify what comes back. */
  readonly trusted: VendorKeys;
  readonly publicKeyJwk: string;
  /** Milliseconds since 1970. */
  readonly createdAtMs: number;
}

/** Reads the vendor and opens its root, once; makes both at the first `create`. */
export class VendorRoots {
  readonly #store: Store;
  readonly #keyEncryptionKey: Uint8Array;
  #root: VendorRoot | undefined;

  /** @param keyEncryptionKey 32 bytes, kept apart from the database. */
  constructor(store: Store, keyEncryptionKey: Uint8Array) {
    this.#store = store;
    this.#keyEncryptionKey = keyEncryptionKey;
  }

  /**
   * The vendor, or undefined while there is none.
   *
   * @throws MusterError `DOCUMENT_INVALID` when the key-encryption key does not open the stored root.
   */
  async find(): Promise<VendorRoot | undefined> {
    if (this.#root !== undefined) return this.#root;
    const [row] = await this.#store.query<VendorRow>(readVendorStatement);
    if (row !== undefined) this.#root = this.#open(row);
    return this.#root;
  }

  /** The vendor. @throws MusterError `VENDOR_MISSING` while there is none. */
  async require(): Promise<VendorRoot> {
    const root = await this.find();
    if (root !== undefined) return root;
    throw new MusterError({ code: 'VENDOR_MISSING', message: 'The authority has no vendor yet.' });
  }

  /**
   * Makes the vendor, unless it is there. Of several replicas that do so at the same time, all use the first one's root.
   *
   * @throws MusterError `SETTING_INVALID` when there is a vendor of another name.
   */
  async create(name: string, nowMs: number, actor: Actor): Promise<VendorRoot> {
    const seed = randomBytes(seedBytes);
    const { publicKey } = signingKeyFromSeed(seed);
    const vector = randomBytes(initializationVectorBytes);
    const sealed = sealPrivateKey(seed, this.#keyEncryptionKey, vector, purposeOf(publicKey));
    await queryOne(this.#store, createVendorStatement, [
      name,
      publicKeyToJwk(publicKey),
      keyId(publicKey),
      sealed,
      nowMs,
      ...actor,
    ]);
    const root = await this.require();
    if (root.name === name) return root;
    throw new MusterError({
      code: 'SETTING_INVALID',
      message: `This authority belongs to the vendor ${root.name}, and has one vendor only.`,
      remedy: 'Give another vendor an authority with a database of its own.',
    });
  }

  #open(row: VendorRow): VendorRoot {
    const publicKey = publicKeyFromJwk(row.public_key_jwk);
    const key = signingKeyFromSeed(openPrivateKey(row.sealed_root_key, this.#keyEncryptionKey, purposeOf(publicKey)));
    if (keyId(key.publicKey) !== keyId(publicKey)) {
      throw new MusterError({
        code: 'DOCUMENT_INVALID',
        message: "The vendor's public key in the database is not that of its root.",
        remedy: 'Restore the database from a backup.',
      });
    }
    return {
      name: row.name,
      key,
      trusted: vendorKeys(publicKey),
      publicKeyJwk: row.public_key_jwk,
      createdAtMs: row.created_at,
    };
  }
}

/** Bound into the seal, so that a sealed root cannot be put beside another public key. */
function purposeOf(publicKey: Uint8Array): string {
  return `muster vendor root ${keyId(publicKey)}`;
}
