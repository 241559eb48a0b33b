import { randomBytes } from 'node:crypto';
import type { IssueKeyRequest, Vendor, VendorAdministration } from '@muster/contracts/vendor';
import { KeyKind } from '@muster/contracts/vendor';
import { type Database, openPgliteInMemory, openPostgresql } from '@muster/database';
import { startPostgresql } from '@muster/database/testing';
import { builtInCatalogues } from '@muster/product-groups';
import { type CallOrigin, createLogger, ManualClock } from '@muster/service-kit';
import { installationId, publicKeyFromJwk, type SigningKey, signingKeyFromSeed, vendorKeys } from '@muster/trust';
import {
  authorityMigrations,
  createVendorAdministration,
  type VendorAuthorityParts,
  VendorAuthorityService,
} from '../src/index.ts';

/** 2026-11-24T12:00:00Z. */
export const noonMs = 1_795_521_600_000;
export const dayMs = 86_400_000;
export const keyEncryptionKey = new Uint8Array(32).fill(0x5a);
export const windowsText = builtInCatalogues.get('windows-2008') ?? '';

/** Where an administrator of these tests calls from. */
export const administrator: CallOrigin = { role: 'administrator', address: '10.0.0.1' };

/** Both engines that Muster runs on (DESIGN 4.2). */
export const engines: Readonly<Record<string, () => Promise<TestDatabase>>> = {
  PGlite: async () => {
    const database = await openPgliteInMemory();
    return { database, another: async () => database, stop: () => database.close() };
  },
  PostgreSQL: async () => {
    const server = await startPostgresql();
    const opened = [await openPostgresql({ url: server.url })];
    return {
      url: server.url,
      database: opened[0] as Database,
      async another() {
        const more = await openPostgresql({ url: server.url });
        opened.push(more);
        return more;
      },
      async stop() {
        for (const each of opened) await each.close();
        server.stop();
      },
    };
  },
};

/** A database of a test's own, empty. */
export interface TestDatabase {
  readonly url?: string;
  readonly database: Database;
  /** Another handle on the same database, as another replica has. On PGlite, which serves one process, the same one. */
  another(): Promise<Database>;
  stop(): Promise<void>;
}

type WithOrigin<Method> = Method extends (request: infer Request) => infer Answer
  ? (request: Request, origin?: CallOrigin) => Answer
  : never;

/** The administration with the second argument that calls over gRPC have. */
export type Administration = { [Name in keyof VendorAdministration]: WithOrigin<VendorAdministration[Name]> };

/** An authority with its administration. */
export interface TestAuthority {
  readonly service: VendorAuthorityService;
  readonly administration: Administration;
  readonly clock: ManualClock;
  readonly database: Database;
}

/** Makes the database one on which no authority has ever run. */
export async function emptyAuthority(database: Database): Promise<void> {
  await database.query({ name: 'test.drop_authority', text: 'drop schema if exists authority cascade' });
  await database.migrate(authorityMigrations);
}

/** Opens an authority on a migrated database. */
export async function openAuthority(
  database: Database,
  parts: Partial<VendorAuthorityParts> & { readonly clock?: ManualClock } = {},
): Promise<TestAuthority> {
  const clock = parts.clock ?? new ManualClock(noonMs);
  const logger = createLogger('test', 'silent');
  const service = await VendorAuthorityService.open({ database, logger, keyEncryptionKey, ...parts, clock });
  return { service, administration: createVendorAdministration(service), clock, database };
}

/** An authority on an empty database whose vendor has signed windows-2008. */
export async function openVendor(
  database: Database,
  parts: Parameters<typeof openAuthority>[1] = {},
): Promise<TestAuthority & { readonly vendor: Vendor }> {
  await emptyAuthority(database);
  const authority = await openAuthority(database, parts);
  const vendor = await authority.administration.createVendor({ name: 'Example Vendor' }, administrator);
  await authority.administration.signCatalogue({ text: windowsText }, administrator);
  return { ...authority, vendor };
}

export const trusted = (vendor: Vendor) => vendorKeys(publicKeyFromJwk(vendor.publicKeyJwk));

const kmsKey = { kind: KeyKind.KMS, application: 'windows', productGroup: 'server-group-b', customer: 'Contoso' };
const mak = { ...kmsKey, kind: KeyKind.MAK, productGroup: 'vista-vl', makActivations: 50 };

/** Issues a KMS key for Server Group B, or what is told. */
export function issueKms({ administration }: TestAuthority, change: Partial<IssueKeyRequest> = {}) {
  return administration.issueKey({ ...kmsKey, ...change }, administrator);
}

/** Issues a MAK of 50 for Vista VL, or what is told. */
export function issueMak({ administration }: TestAuthority, change: Partial<IssueKeyRequest> = {}) {
  return administration.issueKey({ ...mak, ...change }, administrator);
}

/** A host that asks for its activation. */
export interface TestHost {
  readonly hostId: Uint8Array;
  readonly key: SigningKey;
}

export function newHost(): TestHost {
  return { hostId: randomBytes(16), key: signingKeyFromSeed(randomBytes(32)) };
}

/** The request of a host on Server 2008 Enterprise, new unless told. */
export function activationOf(productKey: string, host: TestHost, requestId: Uint8Array = randomBytes(16)) {
  return {
    productKey,
    hostId: host.hostId,
    hostPublicKey: host.key.publicKey,
    hostPlatform: 'server-2008-enterprise',
    requestId,
  };
}

/** An installation of an edition on hardware of its own. */
export function newInstallation(edition = 'vista-enterprise', fingerprint: Uint8Array = randomBytes(32)) {
  return { edition, installationId: installationId(fingerprint, 'windows', edition) };
}

/** Everything that a stream gives. */
export async function all<Value>(values: AsyncIterable<Value>): Promise<Value[]> {
  const list: Value[] = [];
  for await (const value of values) list.push(value);
  return list;
}

/** What a promise is refused with. */
export async function refusalOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'not refused',
    (error: { readonly code?: string }) => error.code ?? `no code: ${String(error)}`,
  );
}
