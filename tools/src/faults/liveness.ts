import type { StackProcess } from '../stack/stack.ts';

const periodMs = 500;
const failuresUntilKill = 3;

/**
 * A liveness probe as Kubernetes makes it: a process that runs and does not do its work, several times in a row, is
 * killed, so that its supervisor starts it again.
 *
 * NATS needs one that asks JetStream itself: when its disk is full, nats-server 2.9 (Debian 12) stops answering for the
 * stream for good while `/healthz` goes on to say "ok". Newer servers refuse what they cannot store, and go on.
 */
export class Liveness {
  readonly #process: StackProcess;
  readonly #works: () => Promise<boolean>;
  readonly #timer: NodeJS.Timeout;
  #failures = 0;
  #probing = false;
  #kills = 0;

  /** @param works asks the process to do something; has to resolve within a second or so. */
  constructor(process: StackProcess, works: () => Promise<boolean>) {
    this.#process = process;
    this.#works = works;
    this.#timer = setInterval(() => this.#probe(), periodMs);
  }

  /** How often it has killed. */
  get kills(): number {
    return this.#kills;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #probe(): Promise<void> {
    if (this.#probing) return;
    this.#probing = true;
    const { pid } = this.#process;
    // What does not run is its supervisor's affair, and a stopped process is a fault that the campaign ends itself.
    const isOurs = () => pid !== undefined && pid === this.#process.pid && !this.#process.paused;
    const failed = isOurs() && !(await this.#works()) && isOurs();
    this.#failures = failed ? this.#failures + 1 : 0;
    if (this.#failures >= failuresUntilKill) {
      this.#failures = 0;
      this.#kills += 1;
      await this.#process.kill();
    }
    this.#probing = false;
  }
}
