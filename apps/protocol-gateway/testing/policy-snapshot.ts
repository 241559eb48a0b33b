import type { HostKey, PolicySnapshot } from '@muster/contracts/policy';
import type { ApplicationId, EditionId } from '@muster/product-groups';
import { builtInCatalogues } from '@muster/product-groups';
import {
  issueHostCertificate,
  publicKeyToJwk,
  type SigningKey,
  signCatalogue,
  signingKeyFromSeed,
} from '@muster/trust';
import { parseUuid, type ReceivedActivationRequest } from '@muster/wire-codec';

/** 2026-11-24T12:00:00Z. */
export const noonMs = 1_795_521_600_000;
export const minuteMs = 60_000;
export const dayMs = 86_400_000;
export const hostId = '3f2b8c1e-7a4d-4e6f-9b0a-1c2d3e4f5a6b';

export const vendor = keyOf(1);
export const host = keyOf(2);
export const stranger = keyOf(9);

export function keyOf(byte: number): SigningKey {
  return signingKeyFromSeed(new Uint8Array(32).fill(byte));
}

export function textOf(name: string): string {
  const text = builtInCatalogues.get(name);
  if (text === undefined) throw new Error(`there is no catalogue ${name}`);
  return text;
}

/** A key that the vendor has activated for editions of an application. */
export async function activatedKey(
  application: string,
  editions: readonly string[],
  change: Partial<Parameters<typeof issueHostCertificate>[0]> = {},
): Promise<HostKey> {
  const expiresAtMs = change.expiresAtMs ?? noonMs + 365 * dayMs;
  const hostCertificate = await issueHostCertificate({
    vendor: 'Example Vendor',
    vendorKey: vendor,
    hostId,
    hostPublicKey: host.publicKey,
    application,
    productGroup: 'a-group',
    editions,
    issuedAtMs: noonMs - dayMs,
    expiresAtMs,
    ...change,
  });
  return { application, productGroup: 'a-group', key: 'A_KEY', hostCertificate, expiresAtUnixMs: expiresAtMs };
}

/** The snapshot of a host with a built-in catalogue in force and these keys activated. */
export async function snapshotWith(
  catalogue: string,
  hostKeys: readonly HostKey[],
  change: Partial<PolicySnapshot> = {},
): Promise<PolicySnapshot> {
  return {
    revision: 7,
    hostId: parseUuid(hostId) ?? new Uint8Array(),
    vendorKeys: [publicKeyToJwk(vendor.publicKey)],
    signedCatalogue: await signCatalogue({ text: textOf(catalogue), vendor }),
    hostKeys: [...hostKeys],
    intervalOverrides: [],
    ...change,
  };
}

/** A request as it arrives, at noon. */
export function requestFor(
  application: string,
  edition: string,
  change: Partial<ReceivedActivationRequest> = {},
): ReceivedActivationRequest {
  return {
    nonce: new Uint8Array(32).fill(7),
    application: application as ApplicationId,
    edition: edition as EditionId,
    cmid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8',
    machineClass: 'physical',
    licenceStatus: 'initial-grace',
    minutesLeft: 43_200,
    clientTimeMs: noonMs,
    clientVersion: 'test/1',
    ...change,
  };
}
