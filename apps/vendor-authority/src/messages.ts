import {
  type ActivatedHost,
  type AuditEntry,
  type ConfirmedInstallation,
  KeyKind,
  type ProductKey,
  type SignedCatalogue,
} from '@muster/contracts/vendor';
import { MusterError } from '@muster/product-groups';
import type { ProductKeyKind } from '@muster/trust';
import { parseUuid } from '@muster/wire-codec';
import type { AuditRow, CatalogueRow, HostRow, InstallationRow, KeyRow } from './rows.ts';

/** Rows as the messages of proto/muster/vendor. */

/** The kind of a key; undefined for the unspecified one. @throws MusterError `INPUT_INVALID` for an unknown number. */
export function kindOf(kind: KeyKind): ProductKeyKind | undefined {
  if (kind === KeyKind.UNSPECIFIED) return undefined;
  if (kind === KeyKind.KMS) return 'KMS';
  if (kind === KeyKind.MAK) return 'MAK';
  throw new MusterError({ code: 'INPUT_INVALID', message: `There is no kind of key with the number ${kind}.` });
}

export function toProductKey(row: KeyRow): ProductKey {
  return {
    keyId: uuidBytesOf(row.key_id),
    kind: row.kind === 'KMS' ? KeyKind.KMS : KeyKind.MAK,
    lastFive: row.last_five,
    application: row.application,
    productGroup: row.product_group,
    customer: row.customer,
    issuedAtUnixMs: row.issued_at,
    expiresAtUnixMs: row.expires_at,
    revokedAtUnixMs: row.revoked_at ?? 0,
    revocationReason: row.revocation_reason,
    hostLimit: row.host_limit,
    activationsPerHost: row.activations_per_host,
    certificateDays: row.certificate_days,
    hosts: row.hosts,
    makActivations: row.mak_activations,
    makActivationsUsed: row.mak_activations_used,
  };
}

export function toActivatedHost(row: HostRow): ActivatedHost {
  return {
    hostId: uuidBytesOf(row.host_id),
    hostPublicKey: row.host_public_key,
    hostPlatform: row.host_platform,
    activationsUsed: row.activations,
    firstActivatedAtUnixMs: row.first_activated_at,
    lastCertifiedAtUnixMs: row.last_certified_at,
    expiresAtUnixMs: row.expires_at,
  };
}

export function toConfirmedInstallation(row: InstallationRow): ConfirmedInstallation {
  return { installationId: row.installation_id, edition: row.edition, confirmedAtUnixMs: row.confirmed_at };
}

export function toSignedCatalogue(row: CatalogueRow): SignedCatalogue {
  return {
    catalogue: row.catalogue,
    version: row.version,
    signedCatalogue: row.signed_catalogue,
    signedAtUnixMs: row.signed_at,
  };
}

export function toAuditEntry({ record, hash }: AuditRow): AuditEntry {
  return { record, hash };
}

/** The 16 bytes of a UUID that the database or a parser gave. */
export function uuidBytesOf(text: string): Uint8Array {
  const bytes = parseUuid(text);
  if (bytes === undefined) throw new Error(`${text} is no UUID`);
  return bytes;
}
