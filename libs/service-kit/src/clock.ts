/** Where a service gets the time from. It is handed in, so that tests move time instead of waiting for it. */
export interface Clock {
  /** Wall clock: milliseconds since 1970-01-01T00:00:00Z. For what people and other machines see. */
  nowMs(): number;
  /** Milliseconds that only ever grow, from an arbitrary start. For limits and intervals. */
  monotonicMs(): number;
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

/** A clock that stands still until it is moved. */
export class ManualClock implements Clock {
  #nowMs: number;
  #monotonicMs = 0;

  /** @param startMs the wall clock at the start, milliseconds since 1970. */
  constructor(startMs: number) {
    this.#nowMs = startMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  /** Sets the wall clock alone, forward or back, as a time server or a person does. */
  set(nowMs: number): void {
    this.#nowMs = nowMs;
  }

  /** Moves both clocks forward by a duration in milliseconds. */
  advance(durationMs: number): void {
    this.#nowMs += durationMs;
    this.#monotonicMs += durationMs;
  }
}
