import type { ChangeKeyRequest, IssueKeyRequest } from '@muster/contracts/vendor';
import { MusterError } from '@muster/product-groups';
import type { ProductKeyKind } from '@muster/trust';

/** A limit of a key: the values that it may have, and the one that it has when nobody says. */
interface LimitRule {
  readonly name: string;
  readonly kind: ProductKeyKind;
  readonly most: number;
  readonly usual?: number;
}

const rules = {
  hostLimit: { name: 'host limit', kind: 'KMS', most: 1_000_000, usual: 6 },
  activationsPerHost: { name: 'number of activations per host', kind: 'KMS', most: 1_000, usual: 10 },
  certificateDays: { name: 'number of days of a host certificate', kind: 'KMS', most: 3_650, usual: 365 },
  makActivations: { name: 'number of MAK activations', kind: 'MAK', most: 10_000_000 },
} as const satisfies Readonly<Record<string, LimitRule>>;

const mostValidityDays = 36_500;
const usualValidityDays = 3_650;
const dayMs = 24 * 60 * 60 * 1_000;

type LimitName = keyof typeof rules;
const limitNames = Object.keys(rules) as readonly LimitName[];

/** The limits of a key; those of the other kind are 0. */
export type KeyLimits = Readonly<Record<LimitName, number>>;

/**
 * The limits of a new key: what is asked for, and the defaults of DESIGN 3.
 *
 * @throws MusterError `SETTING_INVALID` for a value outside its range, one of the other kind of key, and a MAK without a
 * number of activations.
 */
export function limitsOf(kind: ProductKeyKind, request: IssueKeyRequest): KeyLimits {
  const limits = limitNames.map((name) => {
    const rule: LimitRule = rules[name];
    const asked = request[name];
    if (asked !== undefined) return [name, checked(rule, kind, asked)];
    if (rule.kind !== kind) return [name, 0];
    if (rule.usual === undefined)
      throw invalid(`A ${kind} needs the ${rule.name}.`, `Give one from 1 to ${rule.most}.`);
    return [name, rule.usual];
  });
  return Object.fromEntries(limits);
}

/** The limits that a change asks for; null for those that stay. @throws MusterError `SETTING_INVALID`, as `limitsOf`. */
export function changedLimits(
  kind: ProductKeyKind,
  request: ChangeKeyRequest,
): Readonly<Record<LimitName, number | null>> {
  const limits = limitNames.map((name) => {
    const asked = request[name];
    return [name, asked === undefined ? null : checked(rules[name], kind, asked)];
  });
  return Object.fromEntries(limits);
}

/** When a new key ends. @throws MusterError `SETTING_INVALID`. */
export function expiryOf(validityDays: number | undefined, nowMs: number): number {
  const days = validityDays ?? usualValidityDays;
  if (days >= 1 && days <= mostValidityDays) return nowMs + days * dayMs;
  throw invalid(`A key cannot be valid for ${days} days.`, `Give a number of days from 1 to ${mostValidityDays}.`);
}

/** The new end of a key; null when it stays. @throws MusterError `SETTING_INVALID`. */
export function changedExpiry(expiresAtMs: number | undefined, nowMs: number): number | null {
  if (expiresAtMs === undefined) return null;
  if (expiresAtMs > nowMs && expiresAtMs <= nowMs + mostValidityDays * dayMs) return expiresAtMs;
  throw invalid(
    'The new end of the key is not later than now, or too far away.',
    `Give a time within the next ${mostValidityDays} days; to end a key now, revoke it.`,
  );
}

function checked(rule: LimitRule, kind: ProductKeyKind, asked: number): number {
  if (rule.kind !== kind)
    throw invalid(`The ${rule.name} belongs to a ${rule.kind}, and not to a ${kind}.`, 'Leave it out.');
  if (asked >= 1 && asked <= rule.most) return asked;
  throw invalid(`The ${rule.name} cannot be ${asked}.`, `Give a number from 1 to ${rule.most}.`);
}

function invalid(message: string, remedy: string): MusterError {
  return new MusterError({ code: 'SETTING_INVALID', message, remedy });
}
