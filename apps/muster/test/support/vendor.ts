import { randomBytes } from 'node:crypto';
import { KeyKind, type ProductKey, type VendorAdministration } from '@muster/contracts/vendor';
import { type Database, openPgliteInMemory } from '@muster/database';
import {
  type KeyAuthority,
  KeyKeeper,
  LicensingPolicyService,
  ProductKeys,
  policyMigrations,
} from '@muster/licensing-policy';
import { builtInCatalogues } from '@muster/product-groups';
import { createLogger, type Logger, ManualClock } from '@muster/service-kit';
import { authorityMigrations, createVendorAdministration, VendorAuthorityService } from '@muster/vendor-authority';
import { atTheEnd } from './cleanup.ts';

export const dayMs = 24 * 60 * 60 * 1_000;
const firstDay = Date.parse('2026-11-24T12:00:00Z');

/** A vendor with the real authority, in this process and on a database of its own. */
export interface TestVendor {
  readonly authority: VendorAuthorityService;
  readonly administration: VendorAdministration;
  readonly database: Database;
  readonly clock: ManualClock;
  readonly publicKeyJwk: string;
  readonly signedCatalogue: string;
  /** Issues a KMS key, of `windows` unless told. Returns its text and what the vendor says of it. */
  issue(productGroup: string, change?: Partial<IssueChange>): Promise<{ text: string; key: ProductKey }>;
}

interface IssueChange {
  readonly application: string;
  readonly hostLimit: number;
  readonly activationsPerHost: number;
  readonly certificateDays: number;
  readonly validityDays: number;
}

/** How a vendor differs from the usual one. */
export interface VendorParts {
  /** A built-in one; `windows-2008` unless told. */
  readonly catalogue?: string;
  readonly logger?: Logger;
  /** Where its clock stands, milliseconds since 1970. */
  readonly nowMs?: number;
}

/** Makes a vendor that has signed a built-in catalogue. */
export async function openTestVendor(parts: VendorParts = {}): Promise<TestVendor> {
  const { catalogue = 'windows-2008', logger = createLogger('test', 'silent'), nowMs = firstDay } = parts;
  const database = await openPgliteInMemory();
  atTheEnd(() => database.close());
  await database.migrate(authorityMigrations);
  const clock = new ManualClock(nowMs);
  const authority = await VendorAuthorityService.open({
    database,
    clock,
    logger,
    keyEncryptionKey: randomBytes(32),
  });
  const administration = createVendorAdministration(authority);
  const { publicKeyJwk } = await administration.createVendor({ name: 'Example Vendor' });
  const { signedCatalogue } = await administration.signCatalogue({ text: builtInCatalogues.get(catalogue) ?? '' });
  return {
    authority,
    administration,
    database,
    clock,
    publicKeyJwk,
    signedCatalogue,
    async issue(productGroup, change = {}) {
      const issued = await administration.issueKey({
        kind: KeyKind.KMS,
        application: 'windows',
        productGroup,
        customer: 'Contoso',
        validityDays: undefined,
        hostLimit: undefined,
        activationsPerHost: undefined,
        certificateDays: undefined,
        makActivations: undefined,
        ...change,
      });
      if (issued.key === undefined) throw new Error('the vendor told no key');
      return { text: issued.productKey, key: issued.key };
    },
  };
}

/** A customer's host: a licensing-policy that trusts the vendor, and its product keys. */
export interface TestHost {
  readonly policy: LicensingPolicyService;
  readonly keys: ProductKeys;
  readonly keeper: KeyKeeper;
  readonly database: Database;
  /** The product groups whose certificates gateways are given. */
  groupsInForce(): readonly string[];
}

/** How a host differs from the usual one. */
export interface HostParts {
  readonly platform?: string;
  /** The vendor's own unless told; `null` for a host without a network. */
  readonly authority?: KeyAuthority | null;
  readonly logger?: Logger;
}

/** A database of the test file on which one host after the other lives. */
export async function openHostDatabase(): Promise<Database> {
  const database = await openPgliteInMemory();
  atTheEnd(() => database.close());
  return database;
}

/** A host that never was before, with another identity, in the place of the last one on the database. */
export async function newHost(database: Database, vendor: TestVendor, parts: HostParts = {}): Promise<TestHost> {
  await database.query({ name: 'test.drop_policy', text: 'drop schema if exists policy cascade' });
  await database.migrate(policyMigrations);
  const keyEncryptionKey = randomBytes(32);
  const host = await openHost(database, vendor, keyEncryptionKey, parts);
  await host.policy.trustVendor(vendor.publicKeyJwk);
  const { hostPlatforms } = await host.policy.installCatalogue(vendor.signedCatalogue);
  await host.policy.setPlatform(parts.platform ?? [...hostPlatforms.keys()].at(0) ?? '');
  return host;
}

async function openHost(
  database: Database,
  vendor: TestVendor,
  keyEncryptionKey: Uint8Array,
  { authority = vendor.authority, logger = createLogger('test', 'silent') }: HostParts,
): Promise<TestHost> {
  const { clock } = vendor;
  const parts = { database, clock, logger, keyEncryptionKey };
  const policy = await LicensingPolicyService.open(parts);
  const keys = new ProductKeys({ ...parts, policy, authority: authority ?? undefined });
  const keeper = new KeyKeeper({ policy, keys, database, clock, logger });
  const groupsInForce = () => policy.state.keys.map(({ productGroup }) => productGroup);
  return { policy, keys, keeper, database, groupsInForce };
}
