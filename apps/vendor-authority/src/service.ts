import type {
  ActivateHostRequest,
  ActivateHostResponse,
  ConfirmInstallationRequest,
  ConfirmInstallationResponse,
  ConfirmInstallationsRequest,
  ConfirmInstallationsResponse,
  RenewHostRequest,
  RenewHostResponse,
  VendorAuthority,
} from '@muster/contracts/vendor';
import type { Database } from '@muster/database';
import { MusterError } from '@muster/product-groups';
import type { CallOrigin, Clock, Logger } from '@muster/service-kit';
import { actorOf } from './actor.ts';
import { Catalogues } from './catalogue-in-force.ts';
import { GuessLimits, type GuessRates } from './guess-limits.ts';
import { HostActivations } from './host-activations.ts';
import { Installations, mostInstallations, toResult } from './installations.ts';
import { KeyHasher } from './key-hash.ts';
import { IssuedKeys, readProductKey } from './key-use.ts';
import { ProductKeys } from './product-keys.ts';
import { bytesOf, identifierOf, requestIdOf, uuidOf } from './request-checks.ts';
import { type Store, storeOf } from './store.ts';
import { VendorRoots } from './vendor-root.ts';

const publicKeyBytes = 32;
const signatureBytes = 64;

/** What a vendor authority is built from. */
export interface VendorAuthorityParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 32 bytes that seal the vendor's root and that product keys are hashed by; kept apart from the database. */
  readonly keyEncryptionKey: Uint8Array;
  /** How many wrong product keys are answered; `defaultGuessRates` when it is left out. */
  readonly guessRates?: GuessRates;
}

/** What the two interfaces of an authority share. */
export interface AuthorityParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly roots: VendorRoots;
  readonly catalogues: Catalogues;
  readonly issuedKeys: IssuedKeys;
  readonly productKeys: ProductKeys;
  readonly activations: HostActivations;
}

/**
 * The vendor's side of Muster (DESIGN 3): activates hosts for KMS keys and confirms installations by MAKs, for whoever has
 * the key. What it gives out is committed first, and the same request gets the same answer, so that nothing is lost and
 * nothing is used twice.
 */
export class VendorAuthorityService implements VendorAuthority {
  /** For `createVendorAdministration`. */
  readonly parts: AuthorityParts;
  readonly #installations: Installations;

  private constructor(parts: AuthorityParts) {
    this.parts = parts;
    this.#installations = new Installations(parts);
  }

  /**
   * Opens the authority on a migrated database.
   *
   * @throws MusterError `DOCUMENT_INVALID` when the key-encryption key is not the one that the vendor's root is sealed by.
   */
  static async open(parts: VendorAuthorityParts): Promise<VendorAuthorityService> {
    const { database, clock, logger, keyEncryptionKey } = parts;
    const store = storeOf(database);
    const roots = new VendorRoots(store, keyEncryptionKey);
    await roots.find();
    const catalogues = new Catalogues(store, roots);
    const hasher = new KeyHasher(keyEncryptionKey);
    return new VendorAuthorityService({
      store,
      clock,
      logger,
      roots,
      catalogues,
      issuedKeys: new IssuedKeys(store, hasher, new GuessLimits(clock, parts.guessRates)),
      productKeys: new ProductKeys({ store, clock, catalogues, hasher }),
      activations: new HostActivations({ store, clock, roots, catalogues }),
    });
  }

  /** @throws MusterError `KEY_INVALID`, `RATE_LIMITED`, `INPUT_INVALID`, and what `HostActivations.activate` throws. */
  async activateHost(request: ActivateHostRequest, origin?: CallOrigin): Promise<ActivateHostResponse> {
    const productKey = readProductKey(request.productKey, 'KMS');
    const host = {
      hostId: uuidOf('host id', request.hostId),
      hostPublicKey: bytesOf('public key of the host', request.hostPublicKey, publicKeyBytes),
      hostPlatform: identifierOf('host platform', request.hostPlatform),
    };
    const requestId = requestIdOf(request.requestId);
    const key = await this.parts.issuedKeys.find(productKey, 'KMS', origin?.address ?? '');
    const asked = ['online', Buffer.from(requestId).toString('hex')];
    const activated = await this.parts.activations.activate(key, host, asked, actorOf(origin));
    this.parts.logger.info(
      { keyId: key.key_id, hostId: host.hostId, used: activated.activationsUsed },
      'host activated',
    );
    return {
      hostCertificate: activated.hostCertificate,
      expiresAtUnixMs: activated.expiresAtMs,
      activationsUsed: activated.activationsUsed,
      activationLimit: activated.activationLimit,
    };
  }

  /** @throws MusterError `INPUT_INVALID`, and what `HostActivations.renew` throws. */
  async renewHost(request: RenewHostRequest, origin?: CallOrigin): Promise<RenewHostResponse> {
    const renewal = {
      hostCertificate: request.hostCertificate,
      requestId: requestIdOf(request.requestId),
      requestedAtMs: request.requestedAtUnixMs,
    };
    const signature = bytesOf('signature', request.signature, signatureBytes);
    const { hostCertificate, expiresAtMs } = await this.parts.activations.renew(renewal, signature, actorOf(origin));
    return { hostCertificate, expiresAtUnixMs: expiresAtMs };
  }

  /** @throws MusterError `MAK_INVALID`, `RATE_LIMITED`, and what `Installations.confirm` names. */
  async confirmInstallation(
    request: ConfirmInstallationRequest,
    origin?: CallOrigin,
  ): Promise<ConfirmInstallationResponse> {
    const { productKey, application, installation, remoteAddress } = request;
    if (installation === undefined) {
      throw new MusterError({ code: 'INPUT_INVALID', message: 'The installation to confirm is missing.' });
    }
    // A gateway asks for many machines: a guesser among them must not stop the others.
    const from = origin?.role === 'protocol-gateway' ? { ...origin, address: remoteAddress.slice(0, 64) } : origin;
    const batch = await this.#confirm({ productKey, application, installations: [installation] }, from);
    const [outcome] = batch.outcomes;
    if (typeof outcome !== 'string') throw outcome;
    return { confirmation: outcome, remaining: batch.remaining };
  }

  /** @throws MusterError `MAK_INVALID`, `RATE_LIMITED`, `KEY_REVOKED`, `INPUT_INVALID` for more than 256 or none. */
  async confirmInstallations(
    request: ConfirmInstallationsRequest,
    origin?: CallOrigin,
  ): Promise<ConfirmInstallationsResponse> {
    const { outcomes, remaining } = await this.#confirm(request, origin);
    return { results: outcomes.map(toResult), remaining };
  }

  async #confirm(request: ConfirmInstallationsRequest, origin: CallOrigin | undefined) {
    const { application, installations } = request;
    const productKey = readProductKey(request.productKey, 'MAK');
    if (installations.length === 0 || installations.length > mostInstallations) {
      throw new MusterError({
        code: 'INPUT_INVALID',
        message: `A call confirms 1 to ${mostInstallations} installations, and not ${installations.length}.`,
        remedy: 'Ask for them in several calls.',
      });
    }
    const key = await this.parts.issuedKeys.find(productKey, 'MAK', origin?.address ?? '');
    const batch = await this.#installations.confirm(key, application, installations, actorOf(origin));
    const confirmed = batch.outcomes.filter((outcome) => typeof outcome === 'string').length;
    const { length: asked } = installations;
    this.parts.logger.info(
      { keyId: key.key_id, asked, confirmed, remaining: batch.remaining },
      'installations confirmed',
    );
    return batch;
  }
}
