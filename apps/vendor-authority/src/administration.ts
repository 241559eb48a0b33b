import { createHash } from 'node:crypto';
import type {
  AuditTrailRequest,
  ChangeKeyRequest,
  ConfirmActivationRequestRequest,
  CreateVendorRequest,
  IssueKeyRequest,
  ListKeysRequest,
  RevokeKeyRequest,
  SignCatalogueRequest,
  Vendor,
  VendorAdministration,
} from '@muster/contracts/vendor';
import { MusterError } from '@muster/product-groups';
import type { CallOrigin } from '@muster/service-kit';
import { auditBeginning, decodeActivationRequest, encodeActivationConfirmation, signCatalogue } from '@muster/trust';
import { type Actor, actorOf } from './actor.ts';
import { catalogueOf } from './catalogue-in-force.ts';
import {
  toActivatedHost,
  toAuditEntry,
  toConfirmedInstallation,
  toProductKey,
  toSignedCatalogue,
  uuidBytesOf,
} from './messages.ts';
import { keyIdText } from './product-keys.ts';
import { printableOf } from './request-checks.ts';
import type { AuditRow } from './rows.ts';
import type { AuthorityParts, VendorAuthorityService } from './service.ts';
import { auditHeadStatement, auditPageStatement, signCatalogueStatement } from './statements.ts';
import { queryOne } from './store.ts';

const mostNameCharacters = 64;
/** Sites install a catalogue by a message of at most 1 MiB. */
const mostSignedCharacters = 1_000_000;
const auditPageRows = 500;

interface SignedRow {
  readonly code: string;
  readonly catalogue_id: string;
  readonly catalogue_version: number;
  readonly signed: string;
  readonly signed_when: number;
}

/**
 * What a vendor does with its authority. Each method that changes something writes its record to the audit trail in the
 * same commit, with who called and from where; the second argument of a call says so.
 */
export function createVendorAdministration({ parts }: VendorAuthorityService): VendorAdministration {
  const { productKeys, catalogues, roots, issuedKeys, activations } = parts;
  return {
    async createVendor({ name }: CreateVendorRequest, origin?: CallOrigin) {
      const printable = printableOf('name of the vendor', name, 1, mostNameCharacters);
      await roots.create(printable, parts.clock.nowMs(), actorOf(origin));
      return acted(parts, 'vendor created', {}, await describeVendor(parts));
    },
    getVendor: () => describeVendor(parts),
    async signCatalogue({ text }: SignCatalogueRequest, origin?: CallOrigin) {
      const row = await sign(parts, text, actorOf(origin));
      const signed = { catalogue: row.catalogue_id, version: row.catalogue_version };
      const answer = { ...signed, signedCatalogue: row.signed, signedAtUnixMs: row.signed_when };
      return acted(parts, 'catalogue signed', signed, answer);
    },
    getCatalogue: async () => toSignedCatalogue((await catalogues.require()).row),
    async issueKey(request: IssueKeyRequest, origin?: CallOrigin) {
      await roots.require();
      const { text, row } = await productKeys.issue(request, actorOf(origin));
      return acted(parts, 'key issued', { keyId: row.key_id }, { productKey: text, key: toProductKey(row) });
    },
    async changeKey(request: ChangeKeyRequest, origin?: CallOrigin) {
      const keyId = keyIdText(request.keyId);
      return acted(
        parts,
        'key changed',
        { keyId },
        toProductKey(await productKeys.change(keyId, request, actorOf(origin))),
      );
    },
    async revokeKey(request: RevokeKeyRequest, origin?: CallOrigin) {
      const keyId = keyIdText(request.keyId);
      const row = await productKeys.revoke(keyId, request.reason, actorOf(origin));
      return acted(parts, 'key revoked', { keyId }, toProductKey(row));
    },
    getKey: async ({ keyId }) => toProductKey(await productKeys.read(keyIdText(keyId))),
    listKeys: (request: ListKeysRequest) => each(productKeys.list(request), toProductKey),
    listHosts: ({ keyId }) => each(productKeys.hosts(keyId), toActivatedHost),
    listInstallations: ({ keyId }) => each(productKeys.installations(keyId), toConfirmedInstallation),
    async confirmActivationRequest({ request }: ConfirmActivationRequestRequest, origin?: CallOrigin) {
      const { productKey, requestedAtMs, ...host } = decodeActivationRequest(request);
      const key = await issuedKeys.find(productKey, 'KMS', undefined);
      const asked = ['offline', String(requestedAtMs)];
      const made = await activations.activate(key, host, asked, actorOf(origin));
      return acted(
        parts,
        'host activated offline',
        { keyId: key.key_id, hostId: host.hostId },
        {
          confirmation: encodeActivationConfirmation(made.hostCertificate),
          hostId: uuidBytesOf(host.hostId),
          application: key.application,
          productGroup: key.product_group,
          expiresAtUnixMs: made.expiresAtMs,
          activationsUsed: made.activationsUsed,
          activationLimit: made.activationLimit,
        },
      );
    },
    auditTrail: ({ fromSequence }: AuditTrailRequest) => each(auditTrail(parts, fromSequence), toAuditEntry),
  };
}

async function describeVendor(parts: AuthorityParts): Promise<Vendor> {
  const { name, publicKeyJwk, createdAtMs } = await parts.roots.require();
  return { name, publicKeyJwk, createdAtUnixMs: createdAtMs, auditHead: await auditHead(parts) };
}

async function sign(parts: AuthorityParts, text: string, actor: Actor): Promise<SignedRow> {
  const root = await parts.roots.require();
  const catalogue = catalogueOf(text);
  const signed = await signCatalogue({ text, vendor: root.key });
  if (signed.length > mostSignedCharacters) {
    throw new MusterError({
      code: 'CATALOGUE_INVALID',
      message: `The signed catalogue would have more than ${mostSignedCharacters} characters, and no site could install it.`,
      remedy: 'Shorten the catalogue.',
    });
  }
  const row = await queryOne<SignedRow>(parts.store, signCatalogueStatement, [
    catalogue.id,
    catalogue.version,
    new Uint8Array(createHash('sha256').update(text).digest()),
    signed,
    parts.clock.nowMs(),
    ...actor,
  ]);
  if (row.code === '') return row;
  throw new MusterError({
    code: 'CATALOGUE_INVALID',
    message: `The version ${row.catalogue_version} of the catalogue ${catalogue.id} was signed already, and this other text has the version ${catalogue.version}.`,
    remedy: 'Count the version of the catalogue up at every change.',
  });
}

async function auditHead({ store }: AuthorityParts): Promise<{ readonly sequence: number; readonly hash: Uint8Array }> {
  const [row] = await store.query<AuditRow>(auditHeadStatement);
  return row ?? auditBeginning;
}

/**
 * Logs an act with the end that the audit trail has now. The log is kept elsewhere: by it, a trail that was cut off or
 * written anew is found.
 */
async function acted<Answer>(parts: AuthorityParts, act: string, what: object, answer: Answer): Promise<Answer> {
  const { sequence, hash } = await auditHead(parts);
  parts.logger.info({ ...what, auditHead: { sequence, hash: Buffer.from(hash).toString('hex') } }, act);
  return answer;
}

async function* auditTrail(parts: AuthorityParts, fromSequence: number): AsyncIterable<AuditRow> {
  const { sequence: last } = await auditHead(parts);
  let next = Math.max(fromSequence, 1);
  while (next <= last) {
    const rows = await parts.store.query<AuditRow>(auditPageStatement, [next, last, auditPageRows]);
    yield* rows;
    // Where records were removed there are fewer of them; the reader has to see the others.
    if (rows.length < auditPageRows) return;
    next = (rows.at(-1)?.sequence ?? last) + 1;
  }
}

async function* each<Row, Message>(rows: AsyncIterable<Row>, toMessage: (row: Row) => Message): AsyncIterable<Message> {
  for await (const row of rows) yield toMessage(row);
}
