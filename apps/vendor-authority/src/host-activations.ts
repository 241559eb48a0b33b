import { createHash } from 'node:crypto';
import { editionsServedBy, type HostPlatformId, MusterError, mayHost } from '@muster/product-groups';
import type { Clock } from '@muster/service-kit';
import { type HostRenewal, issueHostCertificate, verifyHostCertificate, verifyHostRenewal } from '@muster/trust';
import type { Actor } from './actor.ts';
import { type Catalogues, findGroup } from './catalogue-in-force.ts';
import { refusalOfUse, refuseEnded } from './key-use.ts';
import type { KeyRow } from './rows.ts';
import { activateHostStatement, findActivatedHostStatement, renewHostStatement } from './statements.ts';
import { queryOne, type Store } from './store.ts';
import type { VendorRoot, VendorRoots } from './vendor-root.ts';

const dayMs = 24 * 60 * 60 * 1_000;
/** A certificate begins so much earlier, for a host whose clock is a little behind. */
const clockAllowanceMs = 60 * 60 * 1_000;
/** How far the clocks of host and authority may differ (DESIGN 2.3). */
const clockSkewMs = 4 * 60 * 60 * 1_000;

/** A host that asks to be activated. */
export interface HostToActivate {
  /** UUID. */
  readonly hostId: string;
  /** Ed25519, 32 bytes. */
  readonly hostPublicKey: Uint8Array;
  readonly hostPlatform: string;
}

/** What a host is given. */
export interface CertifiedHost {
  /** A JWT. */
  readonly hostCertificate: string;
  readonly expiresAtMs: number;
}

/** What a host is given for an activation. */
export interface ActivatedHost extends CertifiedHost {
  readonly activationsUsed: number;
  readonly activationLimit: number;
}

interface ActivationRow {
  readonly code: string;
  readonly issued: string;
  readonly issued_until: number;
  readonly used: number;
  readonly allowed: number;
}

/** What the activation of hosts is built from. */
export interface HostActivationParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly roots: VendorRoots;
  readonly catalogues: Catalogues;
}

/** Activates hosts for KMS keys, and renews their certificates (DESIGN 3). */
export class HostActivations {
  readonly #parts: HostActivationParts;

  constructor(parts: HostActivationParts) {
    this.#parts = parts;
  }

  /**
   * Activates a host, within the limits of the key.
   *
   * @param request what tells this request from others of the host: with the same one, it gets the same certificate and
   * uses nothing.
   * @throws MusterError `KEY_REVOKED`, `KEY_EXPIRED`, `KEY_HOST_LIMIT`, `KEY_ACTIVATION_LIMIT`, `KEY_WRONG_HOST_PLATFORM`,
   * `KEY_INVALID` when the catalogue in force has no group of the key any more.
   */
  async activate(key: KeyRow, host: HostToActivate, request: readonly string[], actor: Actor): Promise<ActivatedHost> {
    const nowMs = this.#parts.clock.nowMs();
    refuseEnded(key, nowMs);
    const { hostCertificate, expiresAtMs } = await this.#certify(key, host, nowMs);
    const row = await queryOne<ActivationRow>(this.#parts.store, activateHostStatement, [
      key.key_id,
      host.hostId,
      host.hostPublicKey,
      host.hostPlatform,
      digest([host.hostId, Buffer.from(host.hostPublicKey).toString('hex'), host.hostPlatform, ...request]),
      hostCertificate,
      nowMs,
      expiresAtMs,
      ...actor,
    ]);
    if (row.code !== '') throw refusalOfUse(row.code, key);
    return {
      hostCertificate: row.issued,
      expiresAtMs: row.issued_until,
      activationsUsed: row.used,
      activationLimit: row.allowed,
    };
  }

  /**
   * Renews the certificate of a host that shows by a signature that it is the one.
   *
   * @throws MusterError `UNTRUSTED_HOST` when the certificate is not this vendor's, `CLOCK_SKEW`, `DOCUMENT_INVALID` when
   * the signature is not the host's, `HOST_NOT_ACTIVATED` when no key has activated this host with this public key, and
   * what `activate` throws except for the limits.
   */
  async renew(renewal: HostRenewal, signature: Uint8Array, actor: Actor): Promise<CertifiedHost> {
    const { clock, store } = this.#parts;
    const nowMs = clock.nowMs();
    const { trusted } = await this.#parts.roots.require();
    const certificate = await verifyHostCertificate(renewal.hostCertificate, trusted);
    if (!verifyHostRenewal(renewal, signature, certificate.hostPublicKey)) {
      throw new MusterError({
        code: 'DOCUMENT_INVALID',
        message: 'The request for a renewal is not signed by the key of its host.',
        remedy: 'Sign it with the private key whose public key is in the host certificate.',
      });
    }
    if (Math.abs(renewal.requestedAtMs - nowMs) > clockSkewMs) {
      throw new MusterError({
        code: 'CLOCK_SKEW',
        message: `The host's clock is more than ${clockSkewMs / 3_600_000} hours away from the authority's.`,
        remedy: 'Set the clock of the host from a time source, then try again.',
      });
    }
    const { hostId, hostPublicKey, application, productGroup } = certificate;
    const [key] = await store.query<KeyRow & { readonly host_platform: string }>(findActivatedHostStatement, [
      hostId,
      hostPublicKey,
      application,
      productGroup,
      nowMs,
    ]);
    if (key === undefined) {
      throw new MusterError({
        code: 'HOST_NOT_ACTIVATED',
        message: 'The vendor has activated this host by no key, or has activated it with another public key since.',
      });
    }
    refuseEnded(key, nowMs);
    const host = { hostId, hostPublicKey, hostPlatform: key.host_platform };
    const made = await this.#certify(key, host, nowMs);
    const row = await queryOne<ActivationRow>(store, renewHostStatement, [
      key.key_id,
      hostId,
      hostPublicKey,
      digest(['renewal', Buffer.from(renewal.requestId).toString('hex')]),
      made.hostCertificate,
      nowMs,
      made.expiresAtMs,
      ...actor,
    ]);
    if (row.code !== '') throw refusalOfUse(row.code, key);
    return { hostCertificate: row.issued, expiresAtMs: row.issued_until };
  }

  /** Signs a certificate for what the catalogue in force gives the key, until the key's own end at the latest. */
  async #certify(key: KeyRow, host: HostToActivate, nowMs: number): Promise<CertifiedHost> {
    const root: VendorRoot = await this.#parts.roots.require();
    const { catalogue } = await this.#parts.catalogues.require();
    const found = findGroup(catalogue, key.application, key.product_group);
    if (found === undefined) {
      throw new MusterError({
        code: 'KEY_INVALID',
        message: `The vendor's catalogue has no product group ${key.product_group} in the application ${key.application} any more.`,
        remedy: 'Ask the vendor for a key of a group that is there.',
      });
    }
    const { application, group } = found;
    if (!mayHost(application, group.id, host.hostPlatform as HostPlatformId)) {
      throw new MusterError({
        code: 'KEY_WRONG_HOST_PLATFORM',
        message: `A key of the product group ${group.id} may not be hosted on the platform of this host.`,
        remedy: `Host it on one of: ${group.hostPlatforms.join(', ')}.`,
      });
    }
    const endsAtMs = Math.min(nowMs + key.certificate_days * dayMs, key.expires_at);
    const expiresAtMs = Math.floor(endsAtMs / 1_000) * 1_000;
    const hostCertificate = await issueHostCertificate({
      vendor: root.name,
      vendorKey: root.key,
      hostId: host.hostId,
      hostPublicKey: host.hostPublicKey,
      application: application.id,
      productGroup: group.id,
      editions: editionsServedBy(application, group.id),
      issuedAtMs: nowMs - clockAllowanceMs,
      expiresAtMs,
    });
    return { hostCertificate, expiresAtMs };
  }
}

/** SHA-256 of texts, each told from the next. */
function digest(texts: readonly string[]): Uint8Array {
  return new Uint8Array(createHash('sha256').update(JSON.stringify(texts)).digest());
}
