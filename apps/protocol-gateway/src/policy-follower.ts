import type { LicensingPolicy } from '@muster/contracts/policy';
import type { Logger } from '@muster/service-kit';
import { PolicyView } from './policy-view.ts';

const retryMs = 1_000;

/**
 * Follows the policy (DESIGN 4.1): holds the last snapshot that was in order, and watches for the next one again
 * whenever licensing-policy goes away.
 */
export class PolicyFollower {
  readonly #policy: Pick<LicensingPolicy, 'watchSnapshots'>;
  readonly #gatewayId: string;
  readonly #logger: Logger;
  #view: PolicyView | undefined;
  #stopped = false;

  constructor(policy: Pick<LicensingPolicy, 'watchSnapshots'>, gatewayId: string, logger: Logger) {
    this.#policy = policy;
    this.#gatewayId = gatewayId;
    this.#logger = logger;
  }

  /** The policy to judge by; undefined until one was in order. */
  get view(): PolicyView | undefined {
    return this.#view;
  }

  /** Follows from now on. Returns with the first snapshot that is in order. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#follow(resolve);
    });
  }

  /** Watches no more after the present watch ends. */
  stop(): void {
    this.#stopped = true;
  }

  async #follow(onSnapshot: () => void): Promise<void> {
    while (!this.#stopped) {
      try {
        for await (const snapshot of this.#policy.watchSnapshots({ gatewayId: this.#gatewayId })) {
          await this.#takeOver(snapshot);
          if (this.#view !== undefined) onSnapshot();
        }
      } catch (error) {
        this.#logger.warn({ err: error }, 'policy cannot be watched; the last snapshot stays in force');
      }
      if (!this.#stopped) await new Promise((rest) => setTimeout(rest, retryMs));
    }
  }

  async #takeOver(snapshot: Parameters<typeof PolicyView.from>[0]): Promise<void> {
    try {
      this.#view = await PolicyView.from(snapshot);
      this.#logger.info({ revision: snapshot.revision }, 'policy snapshot in force');
    } catch (error) {
      this.#logger.error(
        { err: error },
        'a policy snapshot was refused; the last one in order, if any, stays in force',
      );
    }
  }
}
