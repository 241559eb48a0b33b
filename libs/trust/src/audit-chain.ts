import { createHash } from 'node:crypto';
import { z } from 'zod';
import { describeIssue } from './public-key.ts';

/** What stood in a place of the audit trail before an act or after it: names and plain values. */
export type AuditState = Readonly<Record<string, string | number | boolean>>;

/** One act: who did it, from where, what, and what it changed. It never holds a secret. */
export interface AuditRecord {
  /** 1 for the first record, and one more for each. */
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly atUnixMs: number;
  /** Who acted: a role, `anonymous` for whoever has a product key, or `local` within the process. */
  readonly actor: string;
  /** The address that the act came from; empty where there is none. */
  readonly address: string;
  /** What was done, such as `key.revoked`. */
  readonly action: string;
  /** What it was done to: an id. */
  readonly subject: string;
  readonly before: AuditState | null;
  readonly after: AuditState | null;
}

/** A record in its canonical form, with the hash that ties it to all before it. */
export interface AuditEntry {
  readonly record: string;
  /** SHA-256 of the hash of the entry before (32 zeros for the first) and the UTF-8 of `record`. */
  readonly hash: Uint8Array;
}

/** A place in the chain: the last record that is known, and its hash. */
export interface AuditHead {
  /** 0 before the first record. */
  readonly sequence: number;
  readonly hash: Uint8Array;
}

/** What the verification of a chain found: where it ends, or the first place where it is broken. */
export type AuditFinding =
  | { readonly ok: true; readonly head: AuditHead }
  | {
      readonly ok: false;
      /** The sequence number at which a record is wrong or missing. */
      readonly sequence: number;
      /** One clause without a full stop. */
      readonly problem: string;
    };

/** Where every chain begins. */
export const auditBeginning: AuditHead = { sequence: 0, hash: new Uint8Array(32) };

const stateSchema = z.record(z.string(), z.union([z.string(), z.int(), z.boolean()])).nullable();
const recordSchema = z.strictObject({
  sequence: z.int().min(1),
  atUnixMs: z.int(),
  actor: z.string(),
  address: z.string(),
  action: z.string(),
  subject: z.string(),
  before: stateSchema,
  after: stateSchema,
});

/** The one text that stands for a record: JSON without whitespace, members in the order of `AuditRecord`. */
export function canonicalAuditRecord(record: AuditRecord): string {
  const { sequence, atUnixMs, actor, address, action, subject, before, after } = record;
  return JSON.stringify({ sequence, atUnixMs, actor, address, action, subject, before, after });
}

/**
 * Reads the canonical text of a record.
 *
 * @returns the record, or what is wrong with the text: one clause without a full stop.
 */
export function readAuditRecord(text: string): AuditRecord | string {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return 'it is no JSON';
  }
  const parsed = recordSchema.safeParse(value);
  if (!parsed.success) return `it is no record: ${describeIssue(parsed.error.issues[0])}`;
  return canonicalAuditRecord(parsed.data) === text ? parsed.data : 'it is not in the canonical form';
}

/** The hash of an entry behind another one. */
export function auditHash(previousHash: Uint8Array, record: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(previousHash).update(record, 'utf8').digest());
}

/**
 * Verifies that entries are a whole chain, one after the other, however many there are. An edited, removed, added or
 * swapped record is found by the entries alone. That the end was cut off, or all was written anew, is found by a head
 * that was kept elsewhere.
 *
 * @param after where the chain was verified up to; its beginning when this is left out.
 * @param anchors heads that were kept elsewhere; those up to `after` are not looked at.
 */
export async function verifyAuditChain(
  entries: Iterable<AuditEntry> | AsyncIterable<AuditEntry>,
  anchors: readonly AuditHead[] = [],
  after: AuditHead = auditBeginning,
): Promise<AuditFinding> {
  const expected = new Map(anchors.map(({ sequence, hash }) => [sequence, hash]));
  let head = after;
  for await (const entry of entries) {
    const sequence = head.sequence + 1;
    const problem = problemOf(entry, head, expected.get(sequence));
    if (problem !== undefined) return { ok: false, sequence, problem };
    head = { sequence, hash: entry.hash };
  }
  const last = Math.max(0, ...expected.keys());
  if (last > head.sequence) {
    return { ok: false, sequence: head.sequence + 1, problem: `the records up to ${last} are cut off` };
  }
  return { ok: true, head };
}

function problemOf(entry: AuditEntry, previous: AuditHead, anchor: Uint8Array | undefined): string | undefined {
  const record = readAuditRecord(entry.record);
  if (typeof record === 'string') return `the record cannot be read: ${record}`;
  if (record.sequence !== previous.sequence + 1) return `the record ${record.sequence} stands in its place`;
  if (!sameBytes(auditHash(previous.hash, entry.record), entry.hash)) {
    return 'the record does not fit its hash: it or one before it was changed';
  }
  if (anchor !== undefined && !sameBytes(anchor, entry.hash)) {
    return 'the hash is another one than was kept elsewhere: the chain was written anew';
  }
  return undefined;
}

function sameBytes(one: Uint8Array, other: Uint8Array): boolean {
  return Buffer.compare(one, other) === 0;
}
