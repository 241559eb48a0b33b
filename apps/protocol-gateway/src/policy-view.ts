import type { PolicySnapshot } from '@muster/contracts/policy';
import {
  type Application,
  type ApplicationId,
  type Catalogue,
  type Coverage,
  type EditionId,
  effectiveIntervals,
  type Intervals,
  MusterError,
  parseCatalogue,
} from '@muster/product-groups';
import {
  type HostCertificate,
  isWithin,
  publicKeyFromJwk,
  vendorKeys,
  verifyCatalogue,
  verifyHostCertificate,
} from '@muster/trust';
import { formatUuid } from '@muster/wire-codec';

/** An activated key as the gateway uses it. */
interface CertifiedKey {
  readonly jwt: string;
  readonly certificate: HostCertificate;
}

/** The keys that are valid at one time, and between which times that is so: the clock may also be set back. */
interface ValidKeys {
  readonly coverage: Coverage;
  readonly certificates: ReadonlyMap<string, string>;
  readonly sinceMs: number;
  readonly untilMs: number;
}

/**
 * A policy snapshot, checked and made ready for judging (DESIGN 4.1). Immutable but for a cache of the keys that are
 * valid now.
 */
export class PolicyView {
  readonly hostId: string;
  readonly revision: number;
  readonly catalogue: Catalogue | undefined;
  readonly #keys: readonly CertifiedKey[];
  readonly #intervals: ReadonlyMap<ApplicationId, Intervals>;
  #valid: ValidKeys;

  private constructor(snapshot: PolicySnapshot, catalogue: Catalogue | undefined, keys: readonly CertifiedKey[]) {
    this.hostId = formatUuid(snapshot.hostId);
    this.revision = snapshot.revision;
    this.catalogue = catalogue;
    this.#keys = keys;
    const overrides = new Map(snapshot.intervalOverrides.map((override) => [override.application, override]));
    this.#intervals = new Map(
      [...(catalogue?.applications.values() ?? [])].map((application) => [
        application.id,
        effectiveIntervals(application, overrides.get(application.id)),
      ]),
    );
    this.#valid = { coverage: new Map(), certificates: new Map(), sinceMs: 0, untilMs: 0 };
  }

  /**
   * Checks every signature of a snapshot.
   *
   * @throws MusterError when the catalogue or a certificate is not what a trusted vendor signed.
   */
  static async from(snapshot: PolicySnapshot): Promise<PolicyView> {
    const vendors = vendorKeys(...snapshot.vendorKeys.map(publicKeyFromJwk));
    const catalogue =
      snapshot.signedCatalogue === ''
        ? undefined
        : catalogueOf((await verifyCatalogue(snapshot.signedCatalogue, vendors)).text);
    const keys = await Promise.all(
      snapshot.hostKeys.map(async ({ hostCertificate }) => ({
        jwt: hostCertificate,
        certificate: await verifyHostCertificate(hostCertificate, vendors),
      })),
    );
    return new PolicyView(snapshot, catalogue, keys);
  }

  /** What the keys cover at a time, milliseconds since 1970. */
  coverageAt(nowMs: number): Coverage {
    return this.#validAt(nowMs).coverage;
  }

  /**
   * The host certificate that a reply for an edition carries: one that covers it, else one of the application, else
   * any, because a refusal too is signed. Undefined when no key is valid.
   */
  certificateFor(application: string, edition: string, nowMs: number): string | undefined {
    const { certificates } = this.#validAt(nowMs);
    return certificates.get(`${application}/${edition}`) ?? certificates.get(application) ?? certificates.get('');
  }

  /** The intervals that clients of an application take over. */
  intervalsOf(application: Application): Intervals {
    return this.#intervals.get(application.id) ?? effectiveIntervals(application);
  }

  #validAt(nowMs: number): ValidKeys {
    const { sinceMs, untilMs } = this.#valid;
    if (nowMs < sinceMs || nowMs >= untilMs) this.#valid = this.#selectValid(nowMs);
    return this.#valid;
  }

  #selectValid(nowMs: number): ValidKeys {
    const coverage = new Map<ApplicationId, Set<EditionId>>();
    const certificates = new Map<string, string>();
    let sinceMs = Number.NEGATIVE_INFINITY;
    let untilMs = Number.POSITIVE_INFINITY;
    for (const { jwt, certificate } of this.#keys) {
      for (const changeMs of [certificate.issuedAtMs, certificate.expiresAtMs]) {
        if (changeMs <= nowMs) sinceMs = Math.max(sinceMs, changeMs);
        else untilMs = Math.min(untilMs, changeMs);
      }
      if (!isWithin(certificate, nowMs)) continue;
      const application = certificate.application as ApplicationId;
      const editions = coverage.get(application) ?? new Set();
      coverage.set(application, editions);
      for (const edition of certificate.editions) {
        editions.add(edition as EditionId);
        certificates.set(`${application}/${edition}`, jwt);
      }
      certificates.set(application, jwt);
      certificates.set('', jwt);
    }
    return { coverage, certificates, sinceMs, untilMs };
  }
}

function catalogueOf(text: string): Catalogue {
  const parsed = parseCatalogue(text, 'catalogue');
  if (parsed.ok) return parsed.catalogue;
  throw new MusterError({
    code: 'CATALOGUE_INVALID',
    message: `The catalogue of the policy breaks a rule: ${parsed.problems[0]?.message ?? 'unknown'}`,
  });
}
