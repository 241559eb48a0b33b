import type {
  IssueGatewayCredentialRequest,
  IssueGatewayCredentialResponse,
  LicensingPolicy,
  PolicySnapshot,
  WatchSnapshotsRequest,
} from '@muster/contracts/policy';
import type { Database } from '@muster/database';
import {
  type ApplicationId,
  type Catalogue,
  checkIntervalOverride,
  effectiveIntervals,
  type HostPlatformId,
  type IntervalOverride,
  MusterError,
  mayHost,
  type ProductGroupId,
  parseCatalogue,
} from '@muster/product-groups';
import type { Clock, Logger } from '@muster/service-kit';
import {
  type HostRenewal,
  issueGatewayCredential,
  keyId,
  maximumCredentialLifeMs,
  publicKeyFromJwk,
  publicKeyToJwk,
  signHostRenewal,
  type VendorKeys,
  vendorKeys,
  verifyCatalogue,
} from '@muster/trust';
import { checkHostCertificate, requirePlatform, wrongPlatform } from './host-certificate-check.ts';
import { type HostIdentity, loadHostIdentity } from './host-identity.ts';
import { type PolicyState, readPolicy, toSnapshot } from './policy-state.ts';
import type { KeyActivation } from './product-key-state.ts';
import { SnapshotFeed } from './snapshot-feed.ts';
import {
  installCatalogueStatement,
  installKeyStatement,
  overrideIntervalsStatement,
  readRevisionStatement,
  setPlatformStatement,
  trustVendorStatement,
} from './statements.ts';

/** A credential begins so much earlier, for gateways whose clock is a little behind: results must lie inside it. */
const clockAllowanceMs = 5 * 60 * 1000;

/** What licensing-policy is built from. */
export interface LicensingPolicyParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** 32 bytes that encrypt the host's private key; kept apart from the database. */
  readonly keyEncryptionKey: Uint8Array;
}

/**
 * Owns the catalogue, the host's identity, its KMS keys and its settings (DESIGN 3 and 4). Gateways watch its
 * snapshots and get their credentials from it.
 */
export class LicensingPolicyService implements LicensingPolicy {
  readonly #parts: LicensingPolicyParts;
  readonly #feed: SnapshotFeed<PolicySnapshot>;
  readonly #host: HostIdentity;
  #state: PolicyState;
  /** The catalogue in force, once it was verified and parsed. */
  #read: { readonly signedCatalogue: string; readonly catalogue: Catalogue } | undefined;

  private constructor(parts: LicensingPolicyParts, host: HostIdentity, state: PolicyState) {
    this.#parts = parts;
    this.#host = host;
    this.#state = state;
    this.#feed = new SnapshotFeed(toSnapshot(state, host.hostId));
  }

  /** Opens the service on a migrated database; makes the host's identity at the first start. */
  static async open(parts: LicensingPolicyParts): Promise<LicensingPolicyService> {
    const host = await loadHostIdentity(parts.database, parts.keyEncryptionKey, parts.clock.nowMs());
    return new LicensingPolicyService(parts, host, await readPolicy(parts.database));
  }

  /** The public side of the host's identity: what a vendor needs to activate it. */
  get host(): { readonly hostId: string; readonly platform: string; readonly publicKey: Uint8Array } {
    return { hostId: this.#host.hostId, platform: this.#state.hostPlatform, publicKey: this.#host.key.publicKey };
  }

  /** What is in force now. */
  get state(): PolicyState {
    return this.#state;
  }

  watchSnapshots(request: WatchSnapshotsRequest): AsyncIterable<PolicySnapshot> {
    this.#parts.logger.info({ gatewayId: request.gatewayId }, 'a gateway watches the policy');
    return this.#feed.watch();
  }

  async issueGatewayCredential(request: IssueGatewayCredentialRequest): Promise<IssueGatewayCredentialResponse> {
    const issuedAtMs = this.#parts.clock.nowMs() - clockAllowanceMs;
    const expiresAtMs = issuedAtMs + maximumCredentialLifeMs;
    const gatewayCredential = await issueGatewayCredential({
      hostKey: this.#host.key,
      gatewayId: request.gatewayId,
      gatewayPublicKey: request.publicKey,
      issuedAtMs,
      expiresAtMs,
    });
    this.#parts.logger.info({ gatewayId: request.gatewayId, expiresAtMs }, 'gateway credential issued');
    return { gatewayCredential, issuedAtUnixMs: issuedAtMs, expiresAtUnixMs: expiresAtMs };
  }

  /**
   * Trusts a vendor: its catalogue and its host certificates are accepted from now on.
   *
   * @param publicKeyJwk the vendor root's public key, a JWK.
   * @throws MusterError `DOCUMENT_INVALID` when it is no Ed25519 public key.
   */
  async trustVendor(publicKeyJwk: string): Promise<void> {
    const publicKey = publicKeyFromJwk(publicKeyJwk);
    await this.#change(trustVendorStatement, [keyId(publicKey), publicKeyToJwk(publicKey), this.#parts.clock.nowMs()]);
  }

  /**
   * Puts a vendor's signed catalogue in force.
   *
   * @throws MusterError `DOCUMENT_INVALID` when no trusted vendor signed it, `CATALOGUE_INVALID` when it breaks a rule,
   * `SETTING_INVALID` when an interval that the host overrides would outlast its validity.
   */
  async installCatalogue(signedCatalogue: string): Promise<Catalogue> {
    const { text } = await verifyCatalogue(signedCatalogue, this.vendorKeys());
    const catalogue = catalogueOf(text);
    // Gateways refuse a snapshot whose overrides do not fit its catalogue.
    for (const { application, activationIntervalMinutes, renewalIntervalMinutes } of this.#state.intervalOverrides) {
      const definition = catalogue.applications.get(application as ApplicationId);
      if (definition === undefined) continue;
      effectiveIntervals(definition, {
        activationIntervalMinutes: activationIntervalMinutes ?? undefined,
        renewalIntervalMinutes: renewalIntervalMinutes ?? undefined,
      });
    }
    await this.#change(installCatalogueStatement, [signedCatalogue, this.#parts.clock.nowMs()]);
    return catalogue;
  }

  /** The catalogue in force; undefined while there is none. */
  async catalogue(): Promise<Catalogue | undefined> {
    const { signedCatalogue } = this.#state;
    if (signedCatalogue === '') return undefined;
    if (this.#read?.signedCatalogue !== signedCatalogue) {
      const { text } = await verifyCatalogue(signedCatalogue, this.vendorKeys());
      this.#read = { signedCatalogue, catalogue: catalogueOf(text) };
    }
    return this.#read.catalogue;
  }

  /** The vendors that the host trusts. */
  vendorKeys(): VendorKeys {
    return vendorKeys(...this.#state.vendorKeys.map(publicKeyFromJwk));
  }

  /** The catalogue in force. @throws MusterError `CATALOGUE_NOT_FOUND` while there is none. */
  async requireCatalogue(): Promise<Catalogue> {
    const catalogue = await this.catalogue();
    if (catalogue !== undefined) return catalogue;
    throw new MusterError({
      code: 'CATALOGUE_NOT_FOUND',
      message: 'No catalogue is installed.',
      remedy: "Install the vendor's signed catalogue first.",
    });
  }

  /**
   * Says on which platform the host runs.
   *
   * @throws MusterError `SETTING_INVALID` when the catalogue knows no such platform, `KEY_WRONG_HOST_PLATFORM` when an
   * installed key may not be hosted on it.
   */
  async setPlatform(platform: string): Promise<void> {
    const catalogue = await this.requireCatalogue();
    if (!catalogue.hostPlatforms.has(platform as HostPlatformId)) {
      throw new MusterError({
        code: 'SETTING_INVALID',
        message: `The catalogue ${catalogue.id} knows no host platform ${platform}.`,
        remedy: `Choose one of: ${[...catalogue.hostPlatforms.keys()].join(', ')}.`,
      });
    }
    for (const key of this.#state.keys) {
      const definition = catalogue.applications.get(key.application as ApplicationId);
      const group = definition?.groups.get(key.productGroup as ProductGroupId);
      if (definition === undefined || group === undefined) continue;
      if (!mayHost(definition, group.id, platform as HostPlatformId)) throw wrongPlatform(group, platform);
    }
    await this.#change(setPlatformStatement, [platform]);
  }

  /**
   * Checks that the host may carry a key of a product group (DESIGN 2.1).
   *
   * @throws MusterError `KEY_WRONG_HOST_PLATFORM`.
   */
  async checkPlatform(application: ApplicationId, productGroup: ProductGroupId): Promise<void> {
    requirePlatform(await this.requireCatalogue(), application, productGroup, this.#state.hostPlatform);
  }

  /**
   * Installs the certificate by which a vendor activated this host for a KMS key.
   *
   * @throws MusterError `UNTRUSTED_HOST` when no trusted vendor signed it, `KEY_INVALID` when it is another host's,
   * expired, or covers more than the catalogue gives its group, `KEY_WRONG_HOST_PLATFORM`.
   */
  async installHostCertificate(hostCertificate: string): Promise<void> {
    const activation = await this.checkHostCertificate(hostCertificate);
    await this.#change(installKeyStatement, [
      activation.application,
      activation.productGroup,
      activation.key,
      activation.vendor,
      hostCertificate,
      activation.activatedAtMs,
      activation.expiresAtMs,
    ]);
  }

  /**
   * Checks a certificate by which a vendor activates this host, without installing it.
   *
   * @throws MusterError as `installHostCertificate`.
   */
  async checkHostCertificate(hostCertificate: string): Promise<KeyActivation> {
    return checkHostCertificate(hostCertificate, {
      ...this.host,
      catalogue: await this.requireCatalogue(),
      vendorKeys: this.vendorKeys(),
      nowMs: this.#parts.clock.nowMs(),
    });
  }

  /** Signs by the host's key that a certificate is to be renewed: Ed25519, 64 bytes. */
  signRenewal(renewal: HostRenewal): Uint8Array {
    return signHostRenewal(renewal, this.#host.key);
  }

  /**
   * Overrides the intervals that clients of an application take over (DESIGN 2.3). What is left out falls back to the
   * catalogue.
   *
   * @throws MusterError `SETTING_INVALID` when a value is outside the allowed range or the application is unknown.
   */
  async overrideIntervals(application: string, override: IntervalOverride): Promise<void> {
    const catalogue = await this.requireCatalogue();
    const definition = catalogue.applications.get(application as ApplicationId);
    if (definition === undefined) {
      throw new MusterError({
        code: 'SETTING_INVALID',
        message: `The catalogue ${catalogue.id} knows no application ${application}.`,
        remedy: `Choose one of: ${[...catalogue.applications.keys()].join(', ')}.`,
      });
    }
    for (const name of ['activationIntervalMinutes', 'renewalIntervalMinutes'] as const) {
      const minutes = override[name];
      if (minutes !== undefined) checkIntervalOverride(name, minutes);
    }
    effectiveIntervals(definition, override);
    await this.#change(overrideIntervalsStatement, [
      application,
      override.activationIntervalMinutes ?? null,
      override.renewalIntervalMinutes ?? null,
    ]);
  }

  /** Ends every watch. The database is the caller's to close. */
  close(): void {
    this.#feed.end();
  }

  /**
   * Takes over what other replicas have changed since. Called every second or so where there may be others.
   *
   * @throws MusterError `UNAVAILABLE` when the database cannot be reached.
   */
  async refresh(): Promise<void> {
    const [row] = await this.#parts.database.query<{ revision: number }>(readRevisionStatement);
    if (row !== undefined && row.revision > this.#state.revision) await this.#takeOver();
  }

  async #change(...[statement, parameters]: Parameters<Database['query']>): Promise<void> {
    await this.#parts.database.query(statement, parameters);
    await this.#takeOver();
  }

  async #takeOver(): Promise<void> {
    const state = await readPolicy(this.#parts.database);
    // Of two changes at the same time the earlier one may be read last; a change that changed nothing is none.
    if (state.revision <= this.#state.revision) return;
    this.#state = state;
    this.#feed.publish(toSnapshot(this.#state, this.#host.hostId));
  }
}

function catalogueOf(text: string): Catalogue {
  const parsed = parseCatalogue(text, 'catalogue');
  if (parsed.ok) return parsed.catalogue;
  throw new MusterError({
    code: 'CATALOGUE_INVALID',
    message: `The catalogue breaks a rule: ${parsed.problems[0]?.message ?? 'unknown'}`,
    remedy: 'Run `muster catalogue check` on it for every problem and its place.',
  });
}
