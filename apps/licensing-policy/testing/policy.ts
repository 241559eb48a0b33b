import type { Database } from '@muster/database';
import {
  type ApplicationId,
  builtInCatalogues,
  editionsServedBy,
  type ProductGroupId,
  parseCatalogue,
} from '@muster/product-groups';
import { createLogger, ManualClock } from '@muster/service-kit';
import {
  issueHostCertificate,
  publicKeyToJwk,
  type SigningKey,
  signCatalogue,
  signingKeyFromSeed,
} from '@muster/trust';
import {
  type LicensingPolicyParts,
  LicensingPolicyService,
  ProductKeys,
  type ProductKeysParts,
  policyMigrations,
} from '../src/index.ts';

/** 2026-11-24T12:00:00Z. */
export const noonMs = 1_795_521_600_000;
export const dayMs = 86_400_000;
export const keyEncryptionKey = new Uint8Array(32).fill(0x5a);

export const vendor = keyOf(1);
/** A vendor that nobody trusts until a test says so. */
export const otherVendor = keyOf(2);

export const windowsText = textOf('windows-2008');

export function keyOf(byte: number): SigningKey {
  return signingKeyFromSeed(new Uint8Array(32).fill(byte));
}

export function textOf(name: string): string {
  const text = builtInCatalogues.get(name);
  if (text === undefined) throw new Error(`there is no catalogue ${name}`);
  return text;
}

/** Makes the database one on which licensing-policy has never run. */
export async function emptyPolicy(database: Database): Promise<void> {
  await database.query({ name: 'test.drop_policy', text: 'drop schema if exists policy cascade' });
  await database.migrate(policyMigrations);
}

export function openPolicy(
  database: Database,
  parts: Partial<LicensingPolicyParts> = {},
): Promise<LicensingPolicyService> {
  return LicensingPolicyService.open({
    database,
    clock: new ManualClock(noonMs),
    logger: createLogger('test', 'silent'),
    keyEncryptionKey,
    ...parts,
  });
}

/** The product keys of a policy; without an authority unless one is given. */
export function productKeysOf(
  policy: LicensingPolicyService,
  database: Database,
  parts: Partial<ProductKeysParts> = {},
): ProductKeys {
  const logger = createLogger('test', 'silent');
  return new ProductKeys({ policy, database, clock: new ManualClock(noonMs), logger, keyEncryptionKey, ...parts });
}

/** A policy on an empty database that trusts the vendor, with windows-2008 in force and a platform. */
export async function openWindowsPolicy(
  database: Database,
  platform: string = 'server-2008-enterprise',
  parts: Partial<LicensingPolicyParts> = {},
): Promise<LicensingPolicyService> {
  await emptyPolicy(database);
  const policy = await openPolicy(database, parts);
  await policy.trustVendor(publicKeyToJwk(vendor.publicKey));
  await policy.installCatalogue(await signCatalogue({ text: windowsText, vendor }));
  await policy.setPlatform(platform);
  return policy;
}

type CertificateOptions = Parameters<typeof issueHostCertificate>[0];

/** The certificate by which the vendor activates a host for a group of windows-2008, for a year. */
export function certify(
  policy: LicensingPolicyService,
  productGroup: string,
  change: Partial<CertificateOptions> = {},
): Promise<string> {
  return issueHostCertificate({
    vendor: 'Example Vendor',
    vendorKey: vendor,
    hostId: policy.host.hostId,
    hostPublicKey: policy.host.publicKey,
    application: 'windows',
    productGroup,
    editions: editionsOf(productGroup),
    issuedAtMs: noonMs,
    expiresAtMs: noonMs + 365 * dayMs,
    ...change,
  });
}

export function editionsOf(productGroup: string): readonly string[] {
  const parsed = parseCatalogue(windowsText, 'windows-2008');
  const windows = parsed.ok ? parsed.catalogue.applications.get('windows' as ApplicationId) : undefined;
  return windows === undefined ? [] : editionsServedBy(windows, productGroup as ProductGroupId);
}
