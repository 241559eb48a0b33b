/** A promise of DESIGN that was not kept, with what shows it. */
export interface Violation {
  /** Which rule, for example `answer-not-in-log`. */
  readonly rule: string;
  /** One sentence. */
  readonly message: string;
  /** The rows, messages and records that contradict each other. */
  readonly evidence: unknown;
}

/** Collects violations; of many it keeps the first ones and counts the rest. */
export class Violations {
  readonly #kept: Violation[] = [];
  #total = 0;

  add(rule: string, message: string, evidence: unknown): void {
    this.#total += 1;
    if (this.#kept.length < 100) this.#kept.push({ rule, message, evidence });
  }

  get total(): number {
    return this.#total;
  }

  get kept(): readonly Violation[] {
    return this.#kept;
  }
}
