import { randomBytes, randomUUID } from 'node:crypto';
import type { ActivateHostResponse, VendorAuthority } from '@muster/contracts/vendor';
import type { Database } from '@muster/database';
import { type ApplicationId, editionsServedBy, MusterError, type ProductGroupId } from '@muster/product-groups';
import type { Clock, Logger } from '@muster/service-kit';
import { decodeActivationConfirmation, encodeActivationRequest, type ProductKey, parseProductKey } from '@muster/trust';
import { parseUuid } from '@muster/wire-codec';
import { chooseKey, keyOfConfirmation } from './key-choice.ts';
import { firstRenewalMs } from './key-times.ts';
import { type InstalledProductKey, type KeyActivation, readProductKeys } from './product-key-state.ts';
import {
  carryRequestStatement,
  dropRequestStatement,
  findProductKeyStatement,
  installProductKeyStatement,
  keepCertificateStatement,
  openRequestStatement,
  readSealedKeyStatement,
  removeProductKeyStatement,
} from './product-key-statements.ts';
import { ProductKeyVault } from './product-key-vault.ts';
import type { LicensingPolicyService } from './service.ts';

/** What the vendor's authority is asked for. */
export type KeyAuthority = Pick<VendorAuthority, 'activateHost' | 'renewHost'>;

/** What the keys of a host are managed with. */
export interface ProductKeysParts {
  readonly policy: LicensingPolicyService;
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 32 bytes that seal the product keys; kept apart from the database. */
  readonly keyEncryptionKey: Uint8Array;
  /** The vendor's authority; without it keys are activated by carried text blocks only. */
  readonly authority?: KeyAuthority | undefined;
  /** Gives numbers from 0 up to 1, for jitter. */
  readonly random?: () => number;
}

/** What an activation brought. */
export interface ActivatedKey {
  readonly key: InstalledProductKey;
  /** How many activations the host has used of how many; undefined when the vendor was not asked. */
  readonly use: { readonly used: number; readonly limit: number } | undefined;
}

/** What happens to a key. */
type KeyEvent = 'installed' | 'activated' | 'renewed' | 'removed';

const requestIdBytes = 32;

/**
 * The KMS keys of a host, from their installation to their removal (DESIGN 3): the product keys of the vendor, the
 * requests for their activation, online or carried by a person, and the certificates that came.
 */
export class ProductKeys {
  readonly #parts: ProductKeysParts;
  readonly #vault: ProductKeyVault;
  readonly #random: () => number;

  constructor(parts: ProductKeysParts) {
    this.#parts = parts;
    this.#vault = new ProductKeyVault(parts.keyEncryptionKey);
    this.#random = parts.random ?? Math.random;
  }

  /** The vendor's authority; undefined where keys are activated by carried text blocks only. */
  get authority(): KeyAuthority | undefined {
    return this.#parts.authority;
  }

  /** Every installed key, in the order of installation. */
  list(): Promise<readonly InstalledProductKey[]> {
    return readProductKeys(this.#parts.database);
  }

  /**
   * Installs a KMS key. One that is installed already stays as it is.
   *
   * @param typed the product key as somebody typed it.
   * @throws MusterError `KEY_INVALID` that says where the typing error probably is, or that it is a MAK.
   */
  async install(typed: string): Promise<InstalledProductKey> {
    const productKey = parseProductKey(typed);
    if (productKey.kind !== 'KMS') {
      throw new MusterError({
        code: 'KEY_INVALID',
        message: `The key that ends with ${productKey.lastFive} is a MAK, which activates machines one by one, and no KMS key.`,
        remedy: 'Install a KMS key, which begins with K; give a MAK to the machines themselves.',
      });
    }
    const id = randomUUID();
    const hash = this.#vault.hash(productKey);
    const { database, clock } = this.#parts;
    const [made] = await database.query<{ id: string }>(installProductKeyStatement, [
      id,
      hash,
      this.#vault.seal(productKey, id),
      productKey.lastFive,
      clock.nowMs(),
    ]);
    const [present] =
      made === undefined ? await database.query<{ id: string }>(findProductKeyStatement, [hash]) : [made];
    const key = await this.#read(present?.id ?? id);
    if (made !== undefined) this.#tell('installed', key);
    return key;
  }

  /**
   * Has the vendor's authority activate this host for a key. A key that is active is not activated again unless that is
   * asked for, for each activation counts; one whose answer was lost is asked for again and uses nothing twice.
   *
   * @param name id or last five characters; empty for the only key.
   * @param again also when the key is active.
   * @throws MusterError the authority's refusals (`KEY_INVALID`, `KEY_HOST_LIMIT`, `KEY_ACTIVATION_LIMIT`,
   * `KEY_WRONG_HOST_PLATFORM`, `KEY_REVOKED`, `KEY_EXPIRED`), `UNAVAILABLE` when it cannot be reached, `UNTRUSTED_HOST`
   * when its answer is of a vendor that is not trusted here, `INPUT_INVALID` when the key is not installed.
   */
  async activate(name: string, again = false): Promise<ActivatedKey> {
    const { policy, clock, database } = this.#parts;
    const key = chooseKey(await this.list(), name);
    if (isActive(key, clock.nowMs()) && !again && !key.isRequested) return { key, use: undefined };
    const authority = this.#requireAuthority();
    const productKey = await this.#open(key);
    await this.#requirePlatform();
    // Kept before the question goes out: whatever happens to the answer, the next question is the same one.
    const [request] = await database.query<{ request_id: Uint8Array; requested_at: number }>(openRequestStatement, [
      key.id,
      randomBytes(requestIdBytes),
      clock.nowMs(),
      key.activation?.hostCertificate ?? null,
    ]);
    // Somebody else had the same key activated at the same time: one activation is enough for both.
    if (request === undefined) return { key: await this.#read(key.id), use: undefined };
    const { hostId, publicKey, platform } = policy.host;
    let answer: ActivateHostResponse;
    try {
      answer = await authority.activateHost({
        productKey: productKey.text,
        hostId: parseUuid(hostId) ?? new Uint8Array(),
        hostPublicKey: publicKey,
        hostPlatform: platform,
        requestId: request.request_id,
      });
    } catch (error) {
      throw withOfflineRemedy(error);
    }
    // The answer to a question of long ago: the next one is a new question.
    if (answer.expiresAtUnixMs <= clock.nowMs() && request.requested_at < answer.expiresAtUnixMs) {
      await database.query(dropRequestStatement, [key.id, request.request_id]);
    }
    const activation = await policy.checkHostCertificate(answer.hostCertificate);
    const use = { used: answer.activationsUsed, limit: answer.activationLimit };
    return { key: await this.#keepActivation(key, activation), use };
  }

  /**
   * Makes the text block by which a key is activated without a network. Made again it is the same block, and uses nothing
   * twice, until it is confirmed.
   *
   * @param renew makes a new one in any case, which uses one more activation.
   * @throws MusterError `INPUT_INVALID` when the key is not installed, `SETTING_INVALID` when the host has no platform.
   */
  async requestActivation(name: string, renew = false): Promise<{ readonly key: InstalledProductKey; text: string }> {
    const { policy, clock, database } = this.#parts;
    const key = chooseKey(await this.list(), name);
    const productKey = await this.#open(key);
    const hostPlatform = await this.#requirePlatform();
    const [carried] = await database.query<{ carried_at: number }>(carryRequestStatement, [
      key.id,
      hostPlatform,
      clock.nowMs(),
      renew,
    ]);
    if (carried === undefined) throw gone(key);
    const { hostId, publicKey } = policy.host;
    const text = encodeActivationRequest({
      productKey,
      hostId,
      hostPublicKey: publicKey,
      hostPlatform,
      requestedAtMs: carried.carried_at,
    });
    return { key: await this.#read(key.id), text };
  }

  /**
   * Applies the vendor's answer to a carried request. Applied again, it changes nothing.
   *
   * @param text the text block, whatever stands around it.
   * @param name id or last five characters of the key; empty for the one that waits.
   * @throws MusterError `DOCUMENT_INVALID` when the block is damaged, has ended, or is older than what is in force;
   * `UNTRUSTED_HOST` when it is another host's, another vendor's or forged; `KEY_WRONG_HOST_PLATFORM`; `INPUT_INVALID`
   * when it is not clear for which key it is.
   */
  async confirmActivation(text: string, name: string): Promise<InstalledProductKey> {
    const { policy, clock } = this.#parts;
    const catalogue = await policy.requireCatalogue();
    const { hostId, publicKey } = policy.host;
    const hostCertificate = await decodeActivationConfirmation(text, {
      hostId,
      hostPublicKey: publicKey,
      vendorKeys: policy.vendorKeys(),
      editionsOf(application, productGroup) {
        const definition = catalogue.applications.get(application as ApplicationId);
        if (!definition?.groups.has(productGroup as ProductGroupId)) return undefined;
        return editionsServedBy(definition, productGroup as ProductGroupId);
      },
    });
    const activation = await this.#checkConfirmed(hostCertificate, clock.nowMs());
    const keys = await this.list();
    const key = name.trim() === '' ? keyOfConfirmation(keys, activation) : chooseKey(keys, name);
    if (key.activation?.hostCertificate === hostCertificate) return key;
    if (key.activation !== undefined && activation.issuedAtMs < key.activation.issuedAtMs) {
      throw new MusterError({
        code: 'DOCUMENT_INVALID',
        message: `The confirmation is older than the activation that the key ending with ${key.lastFive} has.`,
        remedy: 'Apply the confirmation of the last request.',
      });
    }
    return this.#keepActivation(key, activation);
  }

  /**
   * Removes a key, and with it the certificate that it brought: gateways hear of it at once.
   *
   * @throws MusterError `INPUT_INVALID` when it is not installed.
   */
  async remove(name: string): Promise<void> {
    const { database, policy } = this.#parts;
    const key = chooseKey(await this.list(), name);
    const [removed] = await database.query(removeProductKeyStatement, [key.id]);
    await policy.refresh();
    if (removed !== undefined) this.#tell('removed', key);
  }

  /**
   * Keeps a certificate that came, and tells gateways.
   *
   * @param renewed the certificate that it renews; undefined for an activation.
   * @returns the key as it is now; undefined when it was removed or activated anew meanwhile.
   */
  async keep(
    key: InstalledProductKey,
    activation: KeyActivation,
    renewed?: KeyActivation,
  ): Promise<InstalledProductKey | undefined> {
    const { database, policy, clock } = this.#parts;
    const [kept] = await database.query(keepCertificateStatement, [
      key.id,
      activation.application,
      activation.productGroup,
      activation.key,
      activation.vendor,
      activation.hostCertificate,
      activation.issuedAtMs,
      activation.activatedAtMs,
      activation.expiresAtMs,
      firstRenewalMs(activation, clock.nowMs(), this.#random()),
      renewed?.hostCertificate ?? null,
    ]);
    await policy.refresh();
    if (kept === undefined) return undefined;
    const now = await this.#read(key.id);
    this.#tell(renewed === undefined ? 'activated' : 'renewed', now);
    return now;
  }

  async #keepActivation(key: InstalledProductKey, activation: KeyActivation): Promise<InstalledProductKey> {
    const kept = await this.keep(key, activation);
    if (kept === undefined) throw gone(key);
    return kept;
  }

  /** A confirmation that has ended is a document that is of no use any more, and not a wrong key. */
  async #checkConfirmed(hostCertificate: string, nowMs: number): Promise<KeyActivation> {
    try {
      return await this.#parts.policy.checkHostCertificate(hostCertificate);
    } catch (error) {
      if (!(error instanceof MusterError) || error.code !== 'KEY_INVALID') throw error;
      throw new MusterError({
        code: 'DOCUMENT_INVALID',
        message: `The confirmation cannot be applied at ${new Date(nowMs).toISOString()}: ${error.message}`,
        remedy: error.remedy,
        cause: error,
      });
    }
  }

  #requireAuthority(): KeyAuthority {
    const { authority } = this.#parts;
    if (authority !== undefined) return authority;
    throw new MusterError({
      code: 'UNAVAILABLE',
      message: "No vendor's authority is set that this host could ask.",
      remedy: offlineRemedy,
    });
  }

  /** The platform of the host; before anything is used, all must be there that the answer is checked with. */
  async #requirePlatform(): Promise<string> {
    const { policy } = this.#parts;
    const catalogue = await policy.requireCatalogue();
    const { platform } = policy.host;
    if (platform !== '') return platform;
    throw new MusterError({
      code: 'SETTING_INVALID',
      message: 'The host has not been told on which platform it runs.',
      remedy: `Set its platform first, one of: ${[...catalogue.hostPlatforms.keys()].join(', ')}.`,
    });
  }

  async #open(key: InstalledProductKey): Promise<ProductKey> {
    const [row] = await this.#parts.database.query<{ sealed_product_key: Uint8Array }>(readSealedKeyStatement, [
      key.id,
    ]);
    if (row === undefined) throw gone(key);
    return this.#vault.open(row.sealed_product_key, key.id);
  }

  async #read(id: string): Promise<InstalledProductKey> {
    return chooseKey(await this.list(), id);
  }

  /** The one place where what happens to keys is told. */
  #tell(event: KeyEvent, { id, lastFive, activation }: InstalledProductKey): void {
    const { application, productGroup, expiresAtMs } = activation ?? {};
    this.#parts.logger.info({ keyId: id, lastFive, application, productGroup, expiresAtMs }, `KMS key ${event}`);
  }
}

function isActive({ activation }: InstalledProductKey, nowMs: number): boolean {
  return activation !== undefined && nowMs < activation.expiresAtMs;
}

const offlineRemedy =
  'Try again later, or activate without a network: `muster key activate --offline` writes a request for the vendor.';

/** Somebody whose vendor cannot be reached can still activate. */
function withOfflineRemedy(error: unknown): unknown {
  if (!(error instanceof MusterError) || error.code !== 'UNAVAILABLE') return error;
  return new MusterError({
    code: 'UNAVAILABLE',
    message: `The vendor's authority did not answer: ${error.message}`,
    remedy: offlineRemedy,
    cause: error,
  });
}

function gone({ lastFive }: InstalledProductKey): MusterError {
  return new MusterError({
    code: 'INPUT_INVALID',
    message: `The key that ends with ${lastFive} was removed meanwhile.`,
    remedy: 'Install it again if it is still wanted.',
  });
}
