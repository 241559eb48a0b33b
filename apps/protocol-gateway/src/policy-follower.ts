import { setTimeout as sleep } from 'node:timers/promises';
import type { LicensingPolicy } from '@muster/contracts/policy';
import type { Clock, Logger } from '@muster/service-kit';
import { PolicyView } from './policy-view.ts';

/** What a follower is built from. */
export interface PolicyFollowerParts {
  readonly policy: Pick<LicensingPolicy, 'watchSnapshots'>;
  readonly gatewayId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Numbers from 0 up to 1, for jitter; `Math.random` unless told. */
  readonly random?: () => number;
  /** Waits so many milliseconds, or until it is aborted; the system's timers unless told. */
  readonly rest?: (durationMs: number, signal: AbortSignal) => Promise<void>;
}

const firstPauseMs = 100;
const longestPauseMs = 1_000;
/** A watch that lasted so long is followed by the next one without a pause when it ended in order. */
const lastingMs = 1_000;

/**
 * Follows the policy (DESIGN 4.1): holds the last snapshot that was in order, and watches for the next one again
 * whenever licensing-policy goes away. A watch that ends in order is taken up again at once, with another replica; after
 * an error comes a pause, 1 s at most.
 *
 * A policy that falls silent without a word is noticed by the keepalive of its connection: until then, and longer if
 * need be, the last snapshot stays in force.
 */
export class PolicyFollower {
  readonly #parts: PolicyFollowerParts;
  readonly #stopping = new AbortController();
  #view: PolicyView | undefined;
  #pauses = 0;

  constructor(parts: PolicyFollowerParts) {
    this.#parts = parts;
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
    this.#stopping.abort();
  }

  async #follow(onView: () => void): Promise<void> {
    const { signal } = this.#stopping;
    const { clock, random = Math.random, rest = pause } = this.#parts;
    while (!signal.aborted) {
      const startedAtMs = clock.monotonicMs();
      const inOrder = await this.#watch(onView);
      const lasted = clock.monotonicMs() >= startedAtMs + lastingMs;
      if (lasted) this.#pauses = 0;
      if (signal.aborted || (inOrder && lasted)) continue;
      const boundMs = Math.min(longestPauseMs, firstPauseMs * 2 ** this.#pauses);
      this.#pauses += 1;
      await rest(boundMs * (0.5 + random() / 2), signal);
    }
  }

  /** @returns whether the watch ended in order. */
  async #watch(onView: () => void): Promise<boolean> {
    const { policy, gatewayId, logger } = this.#parts;
    try {
      for await (const snapshot of policy.watchSnapshots({ gatewayId })) {
        await this.#takeOver(snapshot);
        if (this.#view !== undefined) onView();
      }
      return true;
    } catch (error) {
      logger.warn({ err: error }, 'policy cannot be watched; the last snapshot stays in force');
      return false;
    }
  }

  async #takeOver(snapshot: Parameters<typeof PolicyView.from>[0]): Promise<void> {
    const { logger } = this.#parts;
    try {
      this.#view = await PolicyView.from(snapshot);
      logger.info({ revision: snapshot.revision }, 'policy snapshot in force');
    } catch (error) {
      logger.error({ err: error }, 'a policy snapshot was refused; the last one in order, if any, stays in force');
    }
  }
}

function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return sleep(durationMs, undefined, { signal }).catch(() => undefined);
}
