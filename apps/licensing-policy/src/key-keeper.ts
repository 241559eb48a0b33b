import { randomBytes } from 'node:crypto';
import type { Database } from '@muster/database';
import { MusterError } from '@muster/product-groups';
import type { CheckResult, Clock, Logger } from '@muster/service-kit';
import { daysUntil, isExpiring, nextRenewalMs } from './key-times.ts';
import type { InstalledKey } from './policy-state.ts';
import type { InstalledProductKey, KeyActivation } from './product-key-state.ts';
import { keepProblemStatement, takeRenewalStatement } from './product-key-statements.ts';
import type { KeyAuthority, ProductKeys } from './product-keys.ts';
import type { LicensingPolicyService } from './service.ts';

/** What the keeper is built from. */
export interface KeyKeeperParts {
  readonly policy: LicensingPolicyService;
  readonly keys: ProductKeys;
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Gives numbers from 0 up to 1, for jitter. */
  readonly random?: () => number;
}

const requestIdBytes = 32;
const longestProblem = 500;
const dayMs = 24 * 60 * 60 * 1_000;
/** How often it is looked whether something is due. */
const lookMs = 60_000;

/**
 * Keeps the KMS keys of a host alive: warns of each certificate from thirty days before its end, once a day, and where
 * the vendor can be reached has it renewed, with the signature of the host's key and without its product key. A renewal
 * that fails is tried again after about a day and shown meanwhile; after `KEY_REVOKED` it is not.
 *
 * It may run in every replica: each renewal is made by one of them.
 */
export class KeyKeeper {
  readonly #parts: KeyKeeperParts;
  readonly #random: () => number;
  /** When each certificate was warned of last. */
  readonly #warnedAtMs = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> | undefined;
  #failing = false;

  constructor(parts: KeyKeeperParts) {
    this.#parts = parts;
    this.#random = parts.random ?? Math.random;
  }

  /** Looks now and from then on every minute. Returns at once. */
  start(): void {
    this.#timer ??= setInterval(() => void this.look(), lookMs).unref();
    void this.look();
  }

  /** Ends what runs, and looks no more. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#looking;
  }

  /** Warns and renews what is due by the clock. Never rejects; a look that is under way is shared. */
  look(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #look(): Promise<void> {
    const { policy, keys, logger } = this.#parts;
    try {
      await policy.refresh();
      const { authority } = keys;
      if (authority !== undefined) await this.#renewDue(authority);
      this.#warn();
      this.#failing = false;
    } catch (error) {
      // Said once for each outage.
      if (!this.#failing) logger.warn({ err: error }, 'the KMS keys cannot be looked at');
      this.#failing = true;
    }
  }

  async #renewDue(authority: KeyAuthority): Promise<void> {
    for (const key of await this.#parts.keys.list()) {
      const { activation, renewAtMs } = key;
      if (activation === undefined || renewAtMs === undefined || this.#parts.clock.nowMs() < renewAtMs) continue;
      if (await this.#takeTurn(key, activation)) await this.#renew(authority, key, activation);
    }
  }

  async #takeTurn({ id }: InstalledProductKey, activation: KeyActivation): Promise<boolean> {
    const { database, clock } = this.#parts;
    const nowMs = clock.nowMs();
    const nextMs = nextRenewalMs(activation, nowMs, this.#random());
    return (await database.query(takeRenewalStatement, [id, nowMs, nextMs, activation.hostCertificate])).length > 0;
  }

  async #renew(authority: KeyAuthority, key: InstalledProductKey, present: KeyActivation): Promise<void> {
    const { policy, keys, clock, database, logger } = this.#parts;
    try {
      const renewal = {
        hostCertificate: present.hostCertificate,
        requestId: randomBytes(requestIdBytes),
        requestedAtMs: clock.nowMs(),
      };
      const answer = await authority.renewHost({
        hostCertificate: renewal.hostCertificate,
        requestId: renewal.requestId,
        requestedAtUnixMs: renewal.requestedAtMs,
        signature: policy.signRenewal(renewal),
      });
      const renewed = await policy.checkHostCertificate(answer.hostCertificate);
      requireLonger(renewed, present);
      await keys.keep(key, renewed, present);
    } catch (error) {
      const problem = problemOf(error);
      logger.warn(
        { err: error, keyId: key.id, lastFive: key.lastFive },
        'the certificate of a KMS key was not renewed',
      );
      await database.query(keepProblemStatement, [
        key.id,
        problem.code,
        problem.message,
        clock.nowMs(),
        problem.code === 'KEY_REVOKED',
      ]);
    }
  }

  #warn(): void {
    const { policy, clock, logger } = this.#parts;
    const nowMs = clock.nowMs();
    for (const key of policy.state.keys) {
      const lastMs = this.#warnedAtMs.get(key.hostCertificate);
      if (!isExpiring(key.expiresAtMs, nowMs) || (lastMs !== undefined && nowMs < lastMs + dayMs)) continue;
      this.#warnedAtMs.set(key.hostCertificate, nowMs);
      const { application, productGroup, expiresAtMs } = key;
      const expiresInDays = daysUntil(expiresAtMs, nowMs);
      const ended = nowMs >= expiresAtMs;
      logger.warn(
        { application, productGroup, expiresAtMs, expiresInDays },
        ended ? 'the certificate of a KMS key has ended' : 'the certificate of a KMS key ends soon',
      );
    }
  }
}

/**
 * How the KMS keys stand, for whoever watches the service: wrong when none is active, when a certificate is in its last
 * thirty days, or when a renewal failed.
 */
export function keysCheck(
  inForce: readonly InstalledKey[],
  installed: readonly InstalledProductKey[],
  nowMs: number,
): CheckResult {
  if (inForce.length === 0) return { ok: false, detail: 'no KMS key is active' };
  const problems = inForce
    .filter(({ expiresAtMs }) => isExpiring(expiresAtMs, nowMs))
    .map((key) => {
      const days = daysUntil(key.expiresAtMs, nowMs);
      return `${key.key} (${key.productGroup}) ${nowMs < key.expiresAtMs ? `ends in ${days} days` : 'has ended'}`;
    });
  for (const { lastFive, problem } of installed) {
    if (problem !== undefined) problems.push(`the key ${lastFive} was not renewed: ${problem.code}`);
  }
  if (problems.length > 0) return { ok: false, detail: problems.join('; ') };
  const firstEndMs = Math.min(...inForce.map(({ expiresAtMs }) => expiresAtMs));
  return { ok: true, detail: `${inForce.length} active, the first ends in ${daysUntil(firstEndMs, nowMs)} days` };
}

function requireLonger(renewed: KeyActivation, present: KeyActivation): void {
  if (renewed.application !== present.application || renewed.productGroup !== present.productGroup) {
    throw new MusterError({
      code: 'UNTRUSTED_HOST',
      message: `The vendor's authority answered with a certificate for ${renewed.productGroup}, not ${present.productGroup}.`,
      remedy: 'Ask the vendor.',
    });
  }
  if (renewed.expiresAtMs > present.expiresAtMs) return;
  throw new MusterError({
    code: 'KEY_EXPIRED',
    message: `The vendor gives no certificate beyond ${new Date(present.expiresAtMs).toISOString()}, when the product key ends.`,
  });
}

/** What is kept of a failure: code and sentence of an expected one, of another one nothing of the inside. */
function problemOf(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof MusterError)) return { code: 'UNAVAILABLE', message: 'The renewal failed unexpectedly.' };
  const message = error.message.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, ' ').slice(0, longestProblem);
  return { code: error.code, message };
}
