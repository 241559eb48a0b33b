import type { Database } from '@muster/database';
import type { InstalledKey } from './policy-state.ts';
import { listProductKeysStatement } from './product-key-statements.ts';

/** A certificate that an activation or a renewal brought. */
export interface KeyActivation extends InstalledKey {
  /** When the vendor issued the certificate. */
  readonly issuedAtMs: number;
  /** When it came here. */
  readonly activatedAtMs: number;
}

/** A product key that is installed. The key itself is not in it. */
export interface InstalledProductKey {
  /** UUID, of this host alone. */
  readonly id: string;
  readonly lastFive: string;
  readonly installedAtMs: number;
  /** Whether the vendor was asked online and its answer has not come. */
  readonly isRequested: boolean;
  /** The text block that is being carried to the vendor. */
  readonly carried: { readonly requestedAtMs: number; readonly hostPlatform: string } | undefined;
  readonly activation: KeyActivation | undefined;
  /** When the certificate is renewed next, where the vendor can be reached; undefined when there is nothing to renew. */
  readonly renewAtMs: number | undefined;
  /** Why the last renewal failed. */
  readonly problem: { readonly code: string; readonly message: string; readonly atMs: number } | undefined;
}

interface ProductKeyRow {
  readonly id: string;
  readonly last_five: string;
  readonly installed_at: number;
  readonly requested: boolean;
  readonly carried_at: number | null;
  readonly carried_platform: string | null;
  readonly application: string | null;
  readonly product_group: string;
  readonly key: string;
  readonly vendor: string;
  readonly host_certificate: string;
  readonly certified_at: number;
  readonly activated_at: number;
  readonly expires_at: number;
  readonly renew_at: number | null;
  readonly problem_code: string;
  readonly problem: string;
  readonly problem_at: number | null;
}

/** Every installed product key, in the order of installation. */
export async function readProductKeys(database: Database): Promise<readonly InstalledProductKey[]> {
  return (await database.query<ProductKeyRow>(listProductKeysStatement)).map(toProductKey);
}

function toProductKey(row: ProductKeyRow): InstalledProductKey {
  return {
    id: row.id,
    lastFive: row.last_five,
    installedAtMs: row.installed_at,
    isRequested: row.requested,
    carried:
      row.carried_at === null ? undefined : { requestedAtMs: row.carried_at, hostPlatform: row.carried_platform ?? '' },
    // The columns of an activation are all there or none is.
    activation: row.application === null ? undefined : toActivation(row, row.application),
    renewAtMs: row.renew_at ?? undefined,
    problem:
      row.problem_at === null ? undefined : { code: row.problem_code, message: row.problem, atMs: row.problem_at },
  };
}

function toActivation(row: ProductKeyRow, application: string): KeyActivation {
  return {
    application,
    productGroup: row.product_group,
    key: row.key,
    vendor: row.vendor,
    hostCertificate: row.host_certificate,
    issuedAtMs: row.certified_at,
    activatedAtMs: row.activated_at,
    expiresAtMs: row.expires_at,
  };
}
