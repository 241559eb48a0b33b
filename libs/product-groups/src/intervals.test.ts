import { describe, expect, it } from 'vitest';
import { builtInApplication } from '../test/catalogues.ts';
import type { IntervalName } from './allowed-intervals.ts';
import { allowedIntervals } from './allowed-intervals.ts';
import { MusterError } from './errors.ts';
import { checkIntervalOverride, effectiveIntervals } from './intervals.ts';

const windows = builtInApplication('windows-2008', 'windows');
const names = Object.keys(allowedIntervals) as IntervalName[];

function codeOf(action: () => void): string {
  try {
    action();
  } catch (error) {
    if (error instanceof MusterError) return error.code;
    throw error;
  }
  return 'none';
}

describe('an interval that a host sets', () => {
  it.each(names)('%s may be anything from 15 minutes to 30 days', (name) => {
    for (const minutes of [15, 16, 43_199, 43_200]) {
      expect(codeOf(() => checkIntervalOverride(name, minutes))).toBe('none');
    }
    for (const minutes of [14, 43_201, 0, -15, 20.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(codeOf(() => checkIntervalOverride(name, minutes))).toBe('SETTING_INVALID');
      expect(codeOf(() => effectiveIntervals(windows, { [name]: minutes }))).toBe('SETTING_INVALID');
    }
  });
});

describe('the intervals in force', () => {
  it('are those of the catalogue, which for Windows are the usual ones', () => {
    const usual = {
      activationIntervalMinutes: allowedIntervals.activationIntervalMinutes.default,
      renewalIntervalMinutes: allowedIntervals.renewalIntervalMinutes.default,
    };
    expect(effectiveIntervals(windows)).toEqual(usual);
    expect(effectiveIntervals(windows, { renewalIntervalMinutes: undefined })).toEqual(usual);
  });

  it('are those of the host where it set them', () => {
    expect(effectiveIntervals(windows, { activationIntervalMinutes: 15 })).toEqual({
      activationIntervalMinutes: 15,
      renewalIntervalMinutes: 10_080,
    });
    expect(effectiveIntervals(windows, { renewalIntervalMinutes: 60 })).toEqual({
      activationIntervalMinutes: 120,
      renewalIntervalMinutes: 60,
    });
  });

  it('never let a client renew only when its validity has ended', () => {
    const shortLived = { ...windows, validityDays: 1, renewalIntervalMinutes: 60 };
    expect(codeOf(() => effectiveIntervals(shortLived, { renewalIntervalMinutes: 1440 }))).toBe('SETTING_INVALID');
    expect(effectiveIntervals(shortLived, { renewalIntervalMinutes: 1439 }).renewalIntervalMinutes).toBe(1439);
  });
});
