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

const seedBytes = 32;
const retryMs = 5_000;

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
  #held: HeldCredential | undefined;
  #renewing: Promise<void> | undefined;
  #retryAtMs = 0;

  constructor(
    policy: Pick<LicensingPolicy, 'issueGatewayCredential'>,
    gatewayId: string,
    clock: Clock,
    logger: Logger,
  ) {
    this.#policy = policy;
    this.#gatewayId = gatewayId;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** The credential, as long as it is valid. */
  current(nowMs: number): HeldCredential | undefined {
    const held = this.#held;
    return held !== undefined && held.issuedAtMs <= nowMs && nowMs < held.expiresAtMs ? held : undefined;
  }

  /** Renews when it is time. Never rejects: a failure is logged and tried again. */
  async renewWhenDue(): Promise<void> {
    const held = this.#held;
    const halfLifeMs = held === undefined ? 0 : held.issuedAtMs + (held.expiresAtMs - held.issuedAtMs) / 2;
    const nowMs = this.#clock.nowMs();
    // A clock that was set back to before the credential began makes it useless: nobody would believe its results.
    const serves = held !== undefined && held.issuedAtMs <= nowMs && nowMs < halfLifeMs;
    if (serves || this.#clock.monotonicMs() < this.#retryAtMs) return;
    this.#renewing ??= this.#renew().finally(() => {
      this.#renewing = undefined;
    });
    await this.#renewing;
  }

  async #renew(): Promise<void> {
    const key = signingKeyFromSeed(randomBytes(seedBytes));
    try {
      const issued = await this.#policy.issueGatewayCredential({
        gatewayId: this.#gatewayId,
        publicKey: key.publicKey,
      });
      this.#held = {
        key,
        jwt: issued.gatewayCredential,
        issuedAtMs: issued.issuedAtUnixMs,
        expiresAtMs: issued.expiresAtUnixMs,
      };
      // Policy's clock may be ahead of ours: then not again at every sweep.
      if (issued.issuedAtUnixMs > this.#clock.nowMs()) this.#retryAtMs = this.#clock.monotonicMs() + retryMs;
    } catch (error) {
      this.#retryAtMs = this.#clock.monotonicMs() + retryMs;
      this.#logger.warn({ err: error, expiresAtMs: this.#held?.expiresAtMs }, 'the gateway credential was not renewed');
    }
  }
}
