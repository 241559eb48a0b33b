import type { ValidityWindow } from '@muster/trust';

const dayMs = 24 * 60 * 60 * 1_000;

/** A host certificate is warned of, and renewed where the vendor can be reached, from so long before its end. */
export const expiryNoticeMs = 30 * dayMs;

/** A renewal is tried once a day; more often for a certificate that lives only days. */
function renewalPauseMs({ issuedAtMs, expiresAtMs }: ValidityWindow): number {
  return Math.min(dayMs, (expiresAtMs - issuedAtMs) / 4);
}

/**
 * When a certificate that came now is renewed: in the first day of its last thirty, at a moment of its own, so that the
 * hosts of a vendor do not all ask at once.
 *
 * @param random from 0 up to 1.
 */
export function firstRenewalMs(certificate: ValidityWindow, nowMs: number, random: number): number {
  const pauseMs = renewalPauseMs(certificate);
  return Math.round(Math.max(certificate.expiresAtMs - expiryNoticeMs, nowMs + pauseMs) + random * (pauseMs / 2));
}

/** When a renewal that was tried now is tried again: after about a day. */
export function nextRenewalMs(certificate: ValidityWindow, nowMs: number, random: number): number {
  return Math.round(nowMs + renewalPauseMs(certificate) * (0.75 + random / 2));
}

/** Whole days until a moment, negative when it has passed. */
export function daysUntil(timeMs: number, nowMs: number): number {
  return Math.floor((timeMs - nowMs) / dayMs);
}

/** Whether a certificate is in its last thirty days, or has ended. */
export function isExpiring(expiresAtMs: number, nowMs: number): boolean {
  return nowMs >= expiresAtMs - expiryNoticeMs;
}
