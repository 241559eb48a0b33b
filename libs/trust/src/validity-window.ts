/** When a signed document is valid: from `issuedAtMs` on, and no longer at `expiresAtMs`. Epoch milliseconds. */
export interface ValidityWindow {
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

/** Whether a time lies inside: issued <= time < expires (DESIGN 3). */
export function isWithin(window: ValidityWindow, timeMs: number): boolean {
  return window.issuedAtMs <= timeMs && timeMs < window.expiresAtMs;
}
