import type { ProductKeyKind } from '@muster/trust';

/** The vendor's row. */
export interface VendorRow {
  readonly name: string;
  readonly public_key_jwk: string;
  readonly sealed_root_key: Uint8Array;
  readonly created_at: number;
}

/** A product key without the hash that it is found by. */
export interface KeyRow {
  readonly key_id: string;
  readonly kind: ProductKeyKind;
  readonly last_five: string;
  readonly application: string;
  readonly product_group: string;
  readonly customer: string;
  readonly issued_at: number;
  readonly expires_at: number;
  readonly revoked_at: number | null;
  readonly revocation_reason: string;
  readonly host_limit: number;
  readonly activations_per_host: number;
  readonly certificate_days: number;
  readonly hosts: number;
  readonly mak_activations: number;
  readonly mak_activations_used: number;
}

/** A host that a key has activated. */
export interface HostRow {
  readonly host_id: string;
  readonly host_public_key: Uint8Array;
  readonly host_platform: string;
  readonly activations: number;
  readonly first_activated_at: number;
  readonly last_certified_at: number;
  readonly expires_at: number;
}

/** An installation that a MAK has confirmed. */
export interface InstallationRow {
  readonly installation_id: Uint8Array;
  readonly edition: string;
  readonly confirmed_at: number;
}

/** A catalogue that was signed. */
export interface CatalogueRow {
  readonly id: number;
  readonly catalogue: string;
  readonly version: number;
  /** Empty when the reader has it already. */
  readonly signed_catalogue: string;
  readonly signed_at: number;
}

/** A record of the audit trail. */
export interface AuditRow {
  readonly sequence: number;
  readonly record: string;
  readonly hash: Uint8Array;
}
