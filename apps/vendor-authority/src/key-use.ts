import { type ErrorCode, MusterError } from '@muster/product-groups';
import { type ProductKey, type ProductKeyKind, parseProductKey } from '@muster/trust';
import type { GuessLimits } from './guess-limits.ts';
import type { KeyHasher } from './key-hash.ts';
import type { KeyRow } from './rows.ts';
import { findKeyStatement } from './statements.ts';
import type { Store } from './store.ts';

/** No more of what was typed is read: a key has 25 characters, and some hyphens and spaces between them. */
const mostTyped = 200;

const invalidCodes: Readonly<Record<ProductKeyKind, ErrorCode>> = { KMS: 'KEY_INVALID', MAK: 'MAK_INVALID' };
const names: Readonly<Record<ProductKeyKind, string>> = { KMS: 'KMS key', MAK: 'MAK' };

/**
 * Reads a product key as it was typed.
 *
 * @throws MusterError `KEY_INVALID` or `MAK_INVALID`, by the kind that is wanted, for a typing error.
 */
export function readProductKey(typed: string, wanted: ProductKeyKind): ProductKey {
  try {
    return parseProductKey(typed.slice(0, mostTyped));
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    throw new MusterError({ code: invalidCodes[wanted], message: error.message, remedy: error.remedy });
  }
}

/** Finds the product keys that were issued, by what somebody typed. */
export class IssuedKeys {
  readonly #store: Store;
  readonly #hasher: KeyHasher;
  readonly #guesses: GuessLimits;

  constructor(store: Store, hasher: KeyHasher, guesses: GuessLimits) {
    this.#store = store;
    this.#hasher = hasher;
    this.#guesses = guesses;
  }

  /**
   * The key that was issued. One that never was and one of the other kind are looked for and answered in the same way.
   *
   * @param address that the key came from; undefined for an administrator, who does not guess.
   * @throws MusterError `KEY_INVALID` or `MAK_INVALID` when there is no such key, `RATE_LIMITED` when too many wrong ones
   * came from the address.
   */
  async find(key: ProductKey, wanted: ProductKeyKind, address: string | undefined): Promise<KeyRow> {
    if (address !== undefined) this.#guesses.check(address);
    const [row] = await this.#store.query<KeyRow>(findKeyStatement, [this.#hasher.hash(key), wanted]);
    // Once more: many keys may have been asked at the same time, and after the last wrong one nothing is said of others.
    if (address !== undefined) this.#guesses.check(address);
    if (row !== undefined) return row;
    if (address !== undefined) this.#guesses.wrong(address);
    throw new MusterError({
      code: invalidCodes[wanted],
      message: `The vendor has issued no such ${names[wanted]}.`,
      remedy: `Compare it with what the vendor sent: a KMS key begins with K and a MAK with M.`,
    });
  }
}

/** The refusal of a use of a key by a code that the database decided. */
export function refusalOfUse(code: string, key: KeyRow): MusterError {
  const refusals: Readonly<Record<string, () => MusterError>> = {
    KEY_REVOKED: () =>
      refusal('KEY_REVOKED', `The vendor has revoked the ${names[key.kind]} that ends with ${key.last_five}.`),
    KEY_EXPIRED: () =>
      refusal(
        'KEY_EXPIRED',
        `The ${names[key.kind]} that ends with ${key.last_five} could be used until ${new Date(key.expires_at).toISOString()}.`,
      ),
    KEY_HOST_LIMIT: () =>
      refusal('KEY_HOST_LIMIT', `The KMS key has activated ${key.host_limit} hosts, which is as many as it may.`),
    KEY_ACTIVATION_LIMIT: () =>
      refusal(
        'KEY_ACTIVATION_LIMIT',
        `The KMS key has activated this host ${key.activations_per_host} times, which is as often as it may.`,
      ),
    MAK_EXHAUSTED: () =>
      refusal(
        'MAK_EXHAUSTED',
        `The MAK has confirmed ${key.mak_activations} installations, which is as many as it may.`,
      ),
    HOST_NOT_ACTIVATED: () =>
      refusal(
        'HOST_NOT_ACTIVATED',
        'The vendor has not activated this host by a key, or has activated it by another one since.',
      ),
    INPUT_INVALID: () => refusal('INPUT_INVALID', 'The installation id was confirmed for another edition.'),
    UNAVAILABLE: () =>
      refusal('UNAVAILABLE', 'The key was changed while the request was answered; make the same request again.'),
  };
  const make = refusals[code];
  if (make === undefined) throw new Error(`the database refused with the code ${code}, which is unknown here`);
  return make();
}

/** @throws MusterError `KEY_REVOKED` or `KEY_EXPIRED` when a key may not be used any more. */
export function refuseEnded(key: KeyRow, nowMs: number): void {
  if (key.revoked_at !== null) throw refusalOfUse('KEY_REVOKED', key);
  if (key.expires_at <= nowMs) throw refusalOfUse('KEY_EXPIRED', key);
}

function refusal(code: ErrorCode, message: string): MusterError {
  return new MusterError({ code, message });
}
