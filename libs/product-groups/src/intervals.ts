import type { IntervalName } from './allowed-intervals.ts';
import { allowedIntervals } from './allowed-intervals.ts';
import type { Application } from './catalogue.ts';
import { MusterError } from './errors.ts';

/** Both intervals, in minutes, as a host tells them to its clients. */
export type Intervals = { readonly [Name in IntervalName]: number };

/** What a host sets in place of the catalogue's intervals, in minutes; what is absent stays as the catalogue has it. */
export type IntervalOverride = { readonly [Name in IntervalName]?: number | undefined };

const minutesPerDay = 24 * 60;

/**
 * Checks one interval that a host wants to set: whole minutes from 15 to 43,200, which is 30 days (DESIGN 2.3).
 *
 * @throws MusterError `SETTING_INVALID` when it is anything else.
 */
export function checkIntervalOverride(name: IntervalName, minutes: number): void {
  const { min, max } = allowedIntervals[name];
  if (Number.isInteger(minutes) && minutes >= min && minutes <= max) return;
  throw new MusterError({
    code: 'SETTING_INVALID',
    message: `${name} must be a whole number of minutes from ${min} to ${max}, but is ${minutes}.`,
    remedy: `Set ${name} to a value from ${min} (15 minutes) to ${max} (30 days).`,
  });
}

/**
 * The intervals in force: the host's own where it set them, else the catalogue's (DESIGN 2.3).
 *
 * @throws MusterError `SETTING_INVALID` when an override is out of range, or clients would renew only after their
 * validity has ended.
 */
export function effectiveIntervals(application: Application, override: IntervalOverride = {}): Intervals {
  const { activationIntervalMinutes, renewalIntervalMinutes } = override;
  if (activationIntervalMinutes !== undefined) {
    checkIntervalOverride('activationIntervalMinutes', activationIntervalMinutes);
  }
  if (renewalIntervalMinutes !== undefined) {
    checkIntervalOverride('renewalIntervalMinutes', renewalIntervalMinutes);
    checkRenewsInTime(application, renewalIntervalMinutes);
  }
  return {
    activationIntervalMinutes: activationIntervalMinutes ?? application.activationIntervalMinutes,
    renewalIntervalMinutes: renewalIntervalMinutes ?? application.renewalIntervalMinutes,
  };
}

/** Whether a client renews before its validity ends; a renewal exactly at the end comes too late. */
export function renewsInTime(renewalIntervalMinutes: number, validityDays: number): boolean {
  return renewalIntervalMinutes < validityDays * minutesPerDay;
}

function checkRenewsInTime(application: Application, renewalIntervalMinutes: number): void {
  if (renewsInTime(renewalIntervalMinutes, application.validityDays)) return;
  const validityMinutes = application.validityDays * minutesPerDay;
  throw new MusterError({
    code: 'SETTING_INVALID',
    message: `renewalIntervalMinutes of ${renewalIntervalMinutes} is not shorter than the validity of ${application.id}, ${validityMinutes} minutes.`,
    remedy: `Set renewalIntervalMinutes to less than ${validityMinutes}.`,
  });
}
