/**
 * The two intervals that a host may override, in minutes: the least and the most that is allowed, both included, and
 * the usual value of `windows-2008` (DESIGN 2.3).
 */
export const allowedIntervals = {
  /** How long a client that is not active waits until it tries again; usually 2 hours. */
  activationIntervalMinutes: { min: 15, max: 43_200, default: 120 },
  /** How long an active client waits until it renews; usually 7 days. */
  renewalIntervalMinutes: { min: 15, max: 43_200, default: 10_080 },
} as const;

/** The name of one of the two intervals. */
export type IntervalName = keyof typeof allowedIntervals;
