import { allowedIntervals } from './allowed-intervals.ts';

/** The whole numbers that a number of a catalogue may have, both ends included. */
export interface NumberRange {
  readonly min: number;
  readonly max: number;
}

/** The allowed range of every number in a catalogue, by its key; the unit is in the key's name (DESIGN 2.3). */
export const catalogueRanges = {
  version: { min: 1, max: 1_000_000 },
  validityDays: { min: 1, max: 730 },
  renewalIntervalMinutes: allowedIntervals.renewalIntervalMinutes,
  activationIntervalMinutes: allowedIntervals.activationIntervalMinutes,
  graceDays: { min: 0, max: 365 },
  countRetentionDays: { min: 1, max: 365 },
  clockSkewMinutes: { min: 1, max: 240 },
  threshold: { min: 1, max: 1_000_000 },
  initialGraceDays: { min: 0, max: 365 },
} as const satisfies Readonly<Record<string, NumberRange>>;
