import { randomBytes } from 'node:crypto';
import type { LicensingPolicy } from '@muster/contracts/policy';
import type { Clock, Logger } from '@muster/service-kit';
import { type SigningKey, signingKeyFromSeed } from '@muster/trust';

/** What a gateway signs with. */
export interface HeldCredential {
  readonly key: SigningKey;
  /** A JWT by the host key. */
  readonly jwt: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

/** A request to policy that has no answer yet. */
interface Attempt {
  readonly startedAtMs: number;
  readonly ended: Promise<void>;
}

const seedBytes = 32;
/** Until the next attempt, while a credential serves. */
const retryMs = 5_000;
/** The same while none does: clients are refused meanwhile. */
const urgentRetryMs = 1_000;
/** An attempt without an answer for so long no longer keeps another one, perhaps to another replica, from being made. */
const attemptMs = 6_000;

/**
 * Keeps a gateway supplied with a credential (DESIGN 3): a key that never leaves memory, a credential of at most 24
 * hours for it, both renewed at half of the credential's life. While policy cannot be reached, the present one serves
 * until its end.
 */
export class CredentialKeeper {
  readonly #policy: Pick<LicensingPolicy, 'issueGatewayCredential'>;
  readonly #gatewayId: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #random: () => number;
  /** The last that came, and the one before it, which serves while the last has not begun. */
  #held: readonly HeldCredential[] = [];
  #attempt: Attempt | undefined;
  #retryAtMs = 0;

  /** @param random gives numbers from 0 up to 1, for jitter. */
  constructor(
    policy: Pick<LicensingPolicy, 'issueGatewayCredential'>,
    gatewayId: string,
    clock: Clock,
    logger: Logger,
    random: () => number = Math.random,
  ) {
    this.#policy = policy;
    this.#gatewayId = gatewayId;
    this.#clock = clock;
    this.#logger = logger;
    this.#random = random;
  }

  /** The credential, as long as it is valid. */
  current(nowMs: number): HeldCredential | undefined {
    const [last, before] = this.#held;
    return [last, before].find((held) => held !== undefined && held.issuedAtMs <= nowMs && nowMs < held.expiresAtMs);
  }

  /** Renews when it is time. Never rejects: a failure is logged and tried again. */
  async renewWhenDue(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (this.#attempt !== undefined && nowMs >= this.#attempt.startedAtMs + attemptMs) {
      this.#attempt = undefined;
      this.#rest();
      this.#logger.warn('policy does not answer the request for a gateway credential');
    }
    if (this.#attempt === undefined) {
      if (!this.#isDue() || nowMs < this.#retryAtMs) return;
      this.#attempt = { startedAtMs: nowMs, ended: this.#renew() };
    }
    const { ended } = this.#attempt;
    await ended;
    if (this.#attempt?.ended === ended) this.#attempt = undefined;
  }

  /** At half of its life; or when none serves, because a clock was set back to before it began, or it has ended. */
  #isDue(): boolean {
    const nowMs = this.#clock.nowMs();
    const [last] = this.#held;
    if (last === undefined || this.current(nowMs) === undefined) return true;
    return nowMs >= last.issuedAtMs + (last.expiresAtMs - last.issuedAtMs) / 2;
  }

  async #renew(): Promise<void> {
    const key = signingKeyFromSeed(randomBytes(seedBytes));
    try {
      const issued = await this.#policy.issueGatewayCredential({
        gatewayId: this.#gatewayId,
        publicKey: key.publicKey,
      });
      this.#takeOver({
        key,
        jwt: issued.gatewayCredential,
        issuedAtMs: issued.issuedAtUnixMs,
        expiresAtMs: issued.expiresAtUnixMs,
      });
    } catch (error) {
      this.#rest();
      const expiresAtMs = this.current(this.#clock.nowMs())?.expiresAtMs;
      this.#logger.warn({ err: error, expiresAtMs }, 'the gateway credential was not renewed');
    }
  }

  #takeOver(issued: HeldCredential): void {
    const present = this.current(this.#clock.nowMs());
    this.#held = present === undefined ? [issued] : [issued, present];
    // Policy's clock may differ from ours: then not again at every sweep.
    if (this.#isDue()) this.#rest();
  }

  #rest(): void {
    const serves = this.current(this.#clock.nowMs()) !== undefined;
    const pauseMs = (serves ? retryMs : urgentRetryMs) * (0.5 + this.#random() / 2);
    this.#retryAtMs = this.#clock.monotonicMs() + pauseMs;
  }
}
