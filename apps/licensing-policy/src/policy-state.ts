import type { PolicySnapshot } from '@muster/contracts/policy';
import type { Database } from '@muster/database';
import { parseUuid } from '@muster/wire-codec';
import { readPolicyStatement } from './statements.ts';

/** A KMS key that was installed and activated. */
export interface InstalledKey {
  readonly application: string;
  readonly productGroup: string;
  /** Its kind, for example KMS_C. */
  readonly key: string;
  readonly vendor: string;
  readonly hostCertificate: string;
  readonly expiresAtMs: number;
}

/** What licensing-policy has in force at one moment. */
export interface PolicyState {
  readonly revision: number;
  /** The platform that the host says it runs on; `''` until it is told. */
  readonly hostPlatform: string;
  /** JWK texts. */
  readonly vendorKeys: readonly string[];
  /** A JWS, or `''` while there is none. */
  readonly signedCatalogue: string;
  readonly keys: readonly InstalledKey[];
  readonly intervalOverrides: readonly {
    readonly application: string;
    readonly activationIntervalMinutes: number | null;
    readonly renewalIntervalMinutes: number | null;
  }[];
}

interface PolicyRow {
  readonly revision: number;
  readonly host_platform: string;
  readonly vendor_keys: PolicyState['vendorKeys'];
  readonly signed_catalogue: string;
  readonly kms_keys: PolicyState['keys'];
  readonly interval_overrides: PolicyState['intervalOverrides'];
}

/** Reads the whole policy in one statement. */
export async function readPolicy(database: Database): Promise<PolicyState> {
  const [row] = await database.query<PolicyRow>(readPolicyStatement);
  if (row === undefined) throw new Error('the policy has no row');
  return {
    revision: row.revision,
    hostPlatform: row.host_platform,
    vendorKeys: row.vendor_keys,
    signedCatalogue: row.signed_catalogue,
    keys: row.kms_keys,
    intervalOverrides: row.interval_overrides,
  };
}

/** The snapshot that gateways get. */
export function toSnapshot(state: PolicyState, hostId: string): PolicySnapshot {
  return {
    revision: state.revision,
    hostId: parseUuid(hostId) ?? new Uint8Array(),
    vendorKeys: state.vendorKeys,
    signedCatalogue: state.signedCatalogue,
    hostKeys: state.keys.map((key) => ({
      application: key.application,
      productGroup: key.productGroup,
      key: key.key,
      hostCertificate: key.hostCertificate,
      expiresAtUnixMs: key.expiresAtMs,
    })),
    intervalOverrides: state.intervalOverrides.map((override) => ({
      application: override.application,
      activationIntervalMinutes: override.activationIntervalMinutes ?? undefined,
      renewalIntervalMinutes: override.renewalIntervalMinutes ?? undefined,
    })),
  };
}
