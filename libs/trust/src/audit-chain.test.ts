import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AuditEntry,
  type AuditRecord,
  auditBeginning,
  auditHash,
  canonicalAuditRecord,
  readAuditRecord,
  verifyAuditChain,
} from './audit-chain.ts';

const text = fc.string({ unit: 'binary', maxLength: 12 });
const state = fc.option(
  fc.dictionary(
    text.filter((name) => name !== '__proto__'),
    fc.oneof(text, fc.maxSafeInteger(), fc.boolean()),
    { maxKeys: 3 },
  ),
);
const act = fc.record({
  atUnixMs: fc.integer({ min: 0, max: 4_000_000_000_000 }),
  actor: text,
  address: text,
  action: text,
  subject: text,
  before: state,
  after: state,
});
type Act = Omit<AuditRecord, 'sequence'>;

/** The chain of these acts. */
function chainOf(acts: readonly Act[]): AuditEntry[] {
  let { hash } = auditBeginning;
  return acts.map((each, index) => {
    const record = canonicalAuditRecord({ sequence: index + 1, ...each });
    hash = auditHash(hash, record);
    return { record, hash };
  });
}

const headOf = (chain: readonly AuditEntry[]) => ({
  sequence: chain.length,
  hash: chain.at(-1)?.hash ?? auditBeginning.hash,
});
const acts = fc.array(act, { minLength: 1, maxLength: 12 });
/** A chain and a place in it. */
const chainAndPlace = acts.chain((list) => fc.tuple(fc.constant(list), fc.nat({ max: list.length - 1 })));

describe('an audit chain', () => {
  test('is whole as it was written, with and without anchors, from its beginning and from any place', async () => {
    await fc.assert(
      fc.asyncProperty(chainAndPlace, async ([list, place]) => {
        const chain = chainOf(list);
        const anchors = [headOf(chain.slice(0, place)), headOf(chain)];
        expect(await verifyAuditChain(chain)).toEqual({ ok: true, head: headOf(chain) });
        expect(await verifyAuditChain(chain, anchors)).toEqual({ ok: true, head: headOf(chain) });
        const rest = chain.slice(place);
        expect(await verifyAuditChain(rest, [], headOf(chain.slice(0, place)))).toEqual({
          ok: true,
          head: headOf(chain),
        });
      }),
    );
  });

  test('shows an edited record at its place, whatever was edited', async () => {
    await fc.assert(
      fc.asyncProperty(chainAndPlace, act, async ([list, place], other) => {
        const chain = chainOf(list);
        const record = canonicalAuditRecord({ sequence: place + 1, ...other });
        fc.pre(record !== chain[place]?.record);
        chain[place] = { record, hash: chain[place]?.hash ?? auditBeginning.hash };
        expect(await verifyAuditChain(chain)).toMatchObject({ ok: false, sequence: place + 1 });
      }),
    );
  });

  test('shows a flipped bit of any hash', async () => {
    await fc.assert(
      fc.asyncProperty(chainAndPlace, fc.nat({ max: 255 }), async ([list, place], bit) => {
        const chain = chainOf(list);
        const hash = Uint8Array.from(chain[place]?.hash ?? []);
        hash[bit >> 3] = (hash[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        chain[place] = { record: chain[place]?.record ?? '', hash };
        expect(await verifyAuditChain(chain)).toMatchObject({ ok: false, sequence: place + 1 });
      }),
    );
  });

  test('shows a removed record, unless it was the last', async () => {
    await fc.assert(
      fc.asyncProperty(chainAndPlace, async ([list, place]) => {
        fc.pre(place < list.length - 1);
        const chain = chainOf(list).toSpliced(place, 1);
        expect(await verifyAuditChain(chain)).toMatchObject({ ok: false, sequence: place + 1 });
      }),
    );
  });

  test('shows two records that were swapped, and one that stands there twice', async () => {
    await fc.assert(
      fc.asyncProperty(chainAndPlace, async ([list, place]) => {
        const chain = chainOf(list);
        const [here, next] = [chain[place], chain[place + 1]];
        if (here === undefined) return;
        expect(await verifyAuditChain(chain.toSpliced(place, 0, here))).toMatchObject({
          ok: false,
          sequence: place + 2,
        });
        if (next === undefined) return;
        const swapped = chain.toSpliced(place, 2, next, here);
        expect(await verifyAuditChain(swapped)).toMatchObject({ ok: false, sequence: place + 1 });
      }),
    );
  });

  test('that was cut off or written anew is found by an anchor alone', async () => {
    await fc.assert(
      fc.asyncProperty(chainAndPlace, async ([list, place]) => {
        const chain = chainOf(list);
        const cut = chain.slice(0, place);
        expect(await verifyAuditChain(cut)).toMatchObject({ ok: true });
        expect(await verifyAuditChain(cut, [headOf(chain)])).toMatchObject({ ok: false, sequence: place + 1 });
        const anew = chainOf(list.with(place, { ...(list[place] as Act), actor: 'somebody else altogether' }));
        expect(await verifyAuditChain(anew)).toMatchObject({ ok: true });
        expect(await verifyAuditChain(anew, [headOf(chain)])).toMatchObject({ ok: false, sequence: list.length });
      }),
    );
  });
});

describe('the text of a record', () => {
  test('reads back as what it was made of, and is the only one', () => {
    fc.assert(
      fc.property(act, fc.integer({ min: 1 }), (each, sequence) => {
        const record = canonicalAuditRecord({ sequence, ...each });
        expect(readAuditRecord(record)).toEqual({ sequence, ...each });
        expect(readAuditRecord(` ${record}`)).toBe('it is not in the canonical form');
      }),
    );
  });

  test('of any form is read or refused, and nothing is thrown', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          text,
          fc.json(),
          act.map((each) => JSON.stringify(each)),
        ),
        (any) => {
          const read = readAuditRecord(any);
          if (typeof read !== 'string') expect(canonicalAuditRecord(read)).toBe(any);
        },
      ),
      { numRuns: 2_000 },
    );
  });
});
