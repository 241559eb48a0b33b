import { randomBytes, randomUUID } from 'node:crypto';
import type { ChangeKeyRequest, IssueKeyRequest, ListKeysRequest } from '@muster/contracts/vendor';
import { MusterError } from '@muster/product-groups';
import type { Clock } from '@muster/service-kit';
import { makeProductKey, parseProductKey, productKeyRandomBytes } from '@muster/trust';
import type { Actor } from './actor.ts';
import { type Catalogues, findGroup } from './catalogue-in-force.ts';
import type { KeyHasher } from './key-hash.ts';
import { changedExpiry, changedLimits, expiryOf, limitsOf } from './key-limits.ts';
import { kindOf } from './messages.ts';
import { printableOf, uuidOf } from './request-checks.ts';
import type { HostRow, InstallationRow, KeyRow } from './rows.ts';
import {
  changeKeyStatement,
  issueKeyStatement,
  listHostsStatement,
  listInstallationsStatement,
  listKeysStatement,
  readKeyStatement,
  revokeKeyStatement,
} from './statements.ts';
import { queryOne, type Store } from './store.ts';

const mostCustomerCharacters = 200;
const mostReasonCharacters = 200;
const pageRows = 500;

/** What the keys of a vendor are kept by. */
export interface ProductKeysParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly catalogues: Catalogues;
  readonly hasher: KeyHasher;
}

/** Issues the keys of a vendor, changes, revokes and shows them. */
export class ProductKeys {
  readonly #parts: ProductKeysParts;

  constructor(parts: ProductKeysParts) {
    this.#parts = parts;
  }

  /**
   * Issues a key. Its text is kept nowhere.
   *
   * @throws MusterError `INPUT_INVALID` for a kind or customer that is none, `SETTING_INVALID` for an application, group or
   * limit that it cannot have.
   */
  async issue(request: IssueKeyRequest, actor: Actor): Promise<{ readonly text: string; readonly row: KeyRow }> {
    const { store, clock, catalogues, hasher } = this.#parts;
    const kind = kindOf(request.kind);
    if (kind === undefined)
      throw new MusterError({ code: 'INPUT_INVALID', message: 'The kind of the key is missing.' });
    const customer = printableOf('customer', request.customer, 1, mostCustomerCharacters);
    const { catalogue } = await catalogues.require();
    const found = findGroup(catalogue, request.application, request.productGroup);
    if (found === undefined) {
      throw new MusterError({
        code: 'SETTING_INVALID',
        message: `The catalogue ${catalogue.id} has no such product group in an application of this name.`,
        remedy: `Choose one of: ${[...catalogue.applications.values()]
          .flatMap(({ id, groups }) => [...groups.keys()].map((group) => `${id} ${group}`))
          .slice(0, 50)
          .join(', ')}.`,
      });
    }
    const nowMs = clock.nowMs();
    const limits = limitsOf(kind, request);
    const expiresAtMs = expiryOf(request.validityDays, nowMs);
    const key = parseProductKey(makeProductKey(kind, randomBytes(productKeyRandomBytes)));
    const keyId = randomUUID();
    await queryOne(store, issueKeyStatement, [
      keyId,
      kind,
      hasher.hash(key),
      key.lastFive,
      found.application.id,
      found.group.id,
      customer,
      nowMs,
      expiresAtMs,
      limits.hostLimit,
      limits.activationsPerHost,
      limits.certificateDays,
      limits.makActivations,
      ...actor,
    ]);
    return { text: key.text, row: await this.read(keyId) };
  }

  /** Changes limits and end of a key. @throws MusterError `KEY_UNKNOWN`, `SETTING_INVALID`. */
  async change(keyId: string, request: ChangeKeyRequest, actor: Actor): Promise<KeyRow> {
    const { kind } = await this.read(keyId);
    const nowMs = this.#parts.clock.nowMs();
    const limits = changedLimits(kind, request);
    await queryOne(this.#parts.store, changeKeyStatement, [
      keyId,
      changedExpiry(request.expiresAtUnixMs, nowMs),
      limits.hostLimit,
      limits.activationsPerHost,
      limits.certificateDays,
      limits.makActivations,
      nowMs,
      ...actor,
    ]);
    return this.read(keyId);
  }

  /** Revokes a key for good. @throws MusterError `KEY_UNKNOWN`, `INPUT_INVALID` for a reason that cannot be shown. */
  async revoke(keyId: string, reason: string, actor: Actor): Promise<KeyRow> {
    printableOf('reason', reason, 0, mostReasonCharacters);
    await queryOne(this.#parts.store, revokeKeyStatement, [keyId, reason, this.#parts.clock.nowMs(), ...actor]);
    return this.read(keyId);
  }

  /** @throws MusterError `KEY_UNKNOWN`. */
  async read(keyId: string): Promise<KeyRow> {
    const [row] = await this.#parts.store.query<KeyRow>(readKeyStatement, [keyId]);
    if (row !== undefined) return row;
    throw new MusterError({ code: 'KEY_UNKNOWN', message: `The authority has issued no key with the id ${keyId}.` });
  }

  /** The keys that a request asks for, in the order of their issue. */
  async *list(request: ListKeysRequest): AsyncIterable<KeyRow> {
    const customer = printableOf('customer', request.customer, 0, mostCustomerCharacters);
    const application = printableOf('application', request.application, 0, mostCustomerCharacters);
    const kind = kindOf(request.kind) ?? '';
    yield* this.#pages<KeyRow>((last) => [
      listKeysStatement,
      [customer, kind, application, last?.key_id ?? null, pageRows],
    ]);
  }

  /** The hosts that a key has activated. @throws MusterError `KEY_UNKNOWN`. */
  async *hosts(keyIdBytes: Uint8Array): AsyncIterable<HostRow> {
    const keyId = keyIdText(keyIdBytes);
    await this.read(keyId);
    yield* this.#pages<HostRow>((last) => [listHostsStatement, [keyId, last?.host_id ?? null, pageRows]]);
  }

  /** The installations that a MAK has confirmed. @throws MusterError `KEY_UNKNOWN`. */
  async *installations(keyIdBytes: Uint8Array): AsyncIterable<InstallationRow> {
    const keyId = keyIdText(keyIdBytes);
    await this.read(keyId);
    yield* this.#pages<InstallationRow>((last) => [
      listInstallationsStatement,
      [keyId, last?.installation_id ?? null, pageRows],
    ]);
  }

  async *#pages<Row>(after: (last: Row | undefined) => Parameters<Store['query']>): AsyncIterable<Row> {
    let last: Row | undefined;
    for (;;) {
      const rows = await this.#parts.store.query<Row>(...after(last));
      yield* rows;
      last = rows.at(-1);
      if (rows.length < pageRows) return;
    }
  }
}

/** The id of a key as text. @throws MusterError `INPUT_INVALID` unless it has 16 bytes. */
export function keyIdText(bytes: Uint8Array): string {
  return uuidOf('id of the key', bytes);
}
