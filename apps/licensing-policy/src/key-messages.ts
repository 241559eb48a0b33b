import type { KmsKey } from '@muster/contracts/policy';
import { parseUuid } from '@muster/wire-codec';
import { daysUntil } from './key-times.ts';
import type { InstalledProductKey } from './product-key-state.ts';

/** An installed key as administrators are told of it. */
export function toKmsKey(key: InstalledProductKey, nowMs: number): KmsKey {
  const { activation, problem } = key;
  return {
    keyId: parseUuid(key.id) ?? new Uint8Array(),
    lastFive: key.lastFive,
    installedAtUnixMs: key.installedAtMs,
    application: activation?.application ?? '',
    productGroup: activation?.productGroup ?? '',
    key: activation?.key ?? '',
    vendor: activation?.vendor ?? '',
    activatedAtUnixMs: activation?.activatedAtMs ?? 0,
    expiresAtUnixMs: activation?.expiresAtMs ?? 0,
    expiresInDays: activation === undefined ? undefined : daysUntil(activation.expiresAtMs, nowMs),
    activationPending: key.isRequested,
    carriedRequestAtUnixMs: key.carried?.requestedAtMs ?? 0,
    renewalAtUnixMs: key.renewAtMs ?? 0,
    problemCode: problem?.code ?? '',
    problem: problem?.message ?? '',
    problemAtUnixMs: problem?.atMs ?? 0,
  };
}
