import type { CountBatch, CountedBatch, CountRequest } from '@muster/contracts/counting';
import { createLogger, ManualClock } from '@muster/service-kit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ControlledCounting } from '../testing/controlled-counting.ts';
import { CountingLink } from './counting-link.ts';

const deadlineMs = 2_000;

/** A link that carries numbers, and what became of them. */
function linkOf(limits: { readonly batchRequests?: number; readonly batchesInFlight?: number } = {}) {
  const counting = new ControlledCounting();
  const clock = new ManualClock(0);
  const answered: (readonly [item: number, count: number])[] = [];
  const failed: (readonly [item: number, reason: string])[] = [];
  const link = new CountingLink<number>({
    counting,
    clock,
    logger: createLogger('test', 'silent'),
    toBatch: (batchId, items) => ({ batchId, gatewayId: 'gateway-1', rules: [], requests: items.map(requestOf) }),
    outcome: {
      answered: (items, results) => answered.push(...items.map((item, n) => [item, results[n]?.count ?? -1] as const)),
      failed: (items, reason) => failed.push(...items.map((item) => [item, reason] as const)),
    },
    batchRequests: 256,
    batchesInFlight: 2,
    deadlineMs,
    ...limits,
  });
  const submit = (...items: readonly number[]) => {
    for (const item of items) link.submit(item);
  };
  const underWay = () => counting.open.map(itemsOf);
  return { link, counting, clock, answered, failed, submit, underWay };
}

/** A request that carries its item where counting sees it. */
function requestOf(item: number): CountRequest {
  const none = new Uint8Array();
  return {
    application: 'windows',
    edition: 'vista-business',
    cmid: none,
    previousCmid: none,
    machineClass: 1,
    machineName: '',
    fingerprint: none,
    licenceStatus: 1,
    clientVersion: '',
    remoteAddress: '',
    raisesCount: true,
    threshold: item,
    refusal: 0,
  };
}

const itemsOf = (batch: CountBatch) => batch.requests.map(({ threshold }) => threshold);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

/** Lets everything happen that waits for nothing but its turn. */
async function turns(count = 4): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function first(batches: readonly CountBatch[]): CountBatch {
  const [batch] = batches;
  if (batch === undefined) throw new Error('no batch is under way');
  return batch;
}

describe('how requests travel to counting', () => {
  test('a lone request leaves at once, alone, and no clock has to move', async () => {
    const { submit, underWay, counting, answered } = linkOf();
    submit(1);
    await turns();
    expect(underWay()).toEqual([[1]]);
    counting.stream.answer(first(counting.open));
    await turns();
    expect(answered).toEqual([[1, 1]]);
  });

  test('what the sockets bring in one turn leaves together', async () => {
    const { submit, underWay } = linkOf();
    submit(1, 2, 3);
    submit(4);
    await turns();
    expect(underWay()).toEqual([[1, 2, 3, 4]]);
  });

  test('requests of connections that are being taken are waited for, turn by turn', async () => {
    const { link, submit, underWay } = linkOf();
    for (const item of [1, 2, 3]) {
      link.expectMore();
      submit(item);
      await turns(1);
      expect(underWay()).toEqual([]);
    }
    await turns();
    expect(underWay()).toEqual([[1, 2, 3]]);
  });

  test('requests of connections that are being taken are waited for no longer than 2 ms', async () => {
    const { link, submit, clock, underWay } = linkOf();
    submit(1);
    link.expectMore();
    await turns(1);
    clock.advance(2);
    link.expectMore();
    await turns();
    expect(underWay()).toEqual([[1]]);
  });

  test('a full batch waits for nobody', async () => {
    const { link, submit, underWay } = linkOf({ batchRequests: 2 });
    link.expectMore();
    submit(1, 2);
    await turns(1);
    expect(underWay()).toEqual([[1, 2]]);
  });

  test('what arrives while batches are under way leaves together when a place is free', async () => {
    const { submit, underWay, counting } = linkOf();
    for (const item of [1, 2, 3, 4, 5]) {
      submit(item);
      await turns();
    }
    expect(underWay()).toEqual([[1], [2]]);
    counting.stream.answer(first(counting.open));
    await turns();
    expect(underWay()).toEqual([[2], [3, 4, 5]]);
  });

  test('a batch has at most so many requests, and only so many batches are under way', async () => {
    const { submit, underWay, counting, answered } = linkOf({ batchRequests: 4, batchesInFlight: 3 });
    submit(...range(1, 30));
    await turns();
    expect(underWay()).toEqual([range(1, 4), range(5, 8), range(9, 12)]);
    counting.stream.answer(first(counting.open));
    await turns();
    expect(underWay()).toEqual([range(5, 8), range(9, 12), range(13, 16)]);
    for (let rounds = 0; rounds < 20 && counting.open.length > 0; rounds += 1) {
      counting.stream.answer(first(counting.open));
      await turns();
    }
    expect(answered.map(([item]) => item)).toEqual(range(1, 30));
    expect(answered.every(([item, count]) => item === count)).toBe(true);
  });

  test('batches may be answered in another order, each to its own requests', async () => {
    const { submit, counting, answered } = linkOf({ batchRequests: 2 });
    submit(1, 2, 3, 4);
    await turns();
    const [one, other] = counting.open;
    for (const batch of [other, one]) if (batch !== undefined) counting.stream.answer(batch);
    await turns();
    expect(answered).toEqual([3, 4, 1, 2].map((item) => [item, item]));
  });

  test('all batches go over one stream, which ends when the link is closed', async () => {
    const { submit, counting, link, answered } = linkOf();
    for (const item of [1, 2, 3]) {
      submit(item);
      await turns();
      counting.stream.answer(first(counting.open));
      await turns();
    }
    submit(4);
    await turns();
    link.close();
    await turns();
    expect([counting.streams.length, counting.stream.ended]).toEqual([1, true]);
    counting.stream.answer(first(counting.open));
    await turns();
    expect(answered.map(([item]) => item)).toEqual([1, 2, 3, 4]);
  });
});

describe('requests that counting does not answer', () => {
  test('fail when their time is over, once, and a late answer changes nothing', async () => {
    const { submit, counting, clock, link, failed, answered, underWay } = linkOf({ batchesInFlight: 1 });
    submit(1, 2);
    await turns();
    const late = first(counting.open);
    clock.advance(deadlineMs - 1);
    link.expire();
    expect(failed).toEqual([]);
    submit(3);
    clock.advance(1);
    link.expire();
    link.expire();
    const reason = 'Counting did not answer in time.';
    expect(failed).toEqual([
      [1, reason],
      [2, reason],
    ]);
    await turns();
    expect(underWay()).toEqual([[1, 2]]);
    counting.stream.answer(late);
    await turns();
    expect([answered, failed.length]).toEqual([[], 2]);
    expect(underWay()).toEqual([[3]]);
    counting.stream.answer(first(counting.open));
    await turns();
    expect(answered).toEqual([[3, 3]]);
    expect(counting.streams).toHaveLength(1);
  });

  test('fail when their time is over before a place was free, while counting is silent', async () => {
    const { submit, clock, link, failed, underWay } = linkOf({ batchesInFlight: 1 });
    submit(1);
    await turns();
    clock.advance(1);
    submit(2);
    await turns();
    clock.advance(deadlineMs - 1);
    link.expire();
    expect(failed.map(([item]) => item)).toEqual([1]);
    clock.advance(1);
    link.expire();
    expect(failed.map(([item]) => item)).toEqual([1, 2]);
    submit(3);
    await turns();
    // Nothing more is given to a counting that is silent.
    expect(underWay()).toEqual([[1]]);
  });

  test.each<[string, Partial<CountedBatch>, string]>([
    ['with the reason that counting gives', { results: [], failure: 'The disk is full.' }, 'The disk is full.'],
    ['when fewer results come', { results: [] }, 'Counting answered another number of requests.'],
    [
      'when more results come',
      { results: Array.from({ length: 3 }, () => ({ activationId: new Uint8Array(16), code: 1, count: 1 })) },
      'Counting answered another number of requests.',
    ],
    [
      'when a result is no decision',
      { results: Array.from({ length: 2 }, () => ({ activationId: new Uint8Array(16), code: 0, count: 1 })) },
      'Counting answered what is no decision.',
    ],
    ['when results come with a failure', { failure: 'Nothing was committed.' }, 'Nothing was committed.'],
  ])('fail %s, and later ones go on', async (_, change, reason) => {
    const { submit, counting, failed, answered } = linkOf();
    submit(1, 2);
    await turns();
    counting.stream.answer(first(counting.open), change);
    await turns();
    expect(failed).toEqual([
      [1, reason],
      [2, reason],
    ]);
    submit(3);
    await turns();
    counting.stream.answer(first(counting.open));
    await turns();
    expect(answered).toEqual([[3, 3]]);
    expect(counting.streams).toHaveLength(1);
  });

  test.each<[string, (counting: ControlledCounting) => void]>([
    ['breaks', ({ stream }) => stream.break(new Error('connection reset'))],
    ['ends', ({ stream }) => stream.end()],
  ])('all fail when the stream %s, and the next one opens a new stream', async (_, cut) => {
    const { submit, counting, failed, answered } = linkOf({ batchRequests: 1 });
    submit(1, 2);
    await turns();
    cut(counting);
    await turns();
    const reason = 'The connection to counting ended.';
    expect(failed).toEqual([
      [1, reason],
      [2, reason],
    ]);
    submit(3);
    await turns();
    expect(counting.streams).toHaveLength(2);
    counting.stream.answer(first(counting.open));
    await turns();
    expect(answered).toEqual([[3, 3]]);
  });

  test('that wait while the stream breaks travel by the next one', async () => {
    const { submit, counting, failed, answered, link, underWay } = linkOf({ batchRequests: 1, batchesInFlight: 1 });
    submit(1, 2);
    await turns();
    counting.stream.break(new Error('connection reset'));
    await turns();
    link.expire();
    await turns();
    expect(failed.map(([item]) => item)).toEqual([1]);
    expect(underWay()).toEqual([[2]]);
    counting.stream.answer(first(counting.open));
    await turns();
    expect(answered).toEqual([[2, 2]]);
  });

  test('fail at once when no stream can be opened, until it can', async () => {
    const { submit, counting, failed, answered } = linkOf();
    counting.refusal = new Error('nobody listens');
    submit(1);
    await turns();
    expect(failed).toEqual([[1, 'The connection to counting ended.']]);
    counting.refusal = undefined;
    submit(2);
    await turns();
    counting.stream.answer(first(counting.open));
    await turns();
    expect(answered).toEqual([[2, 2]]);
  });

  test('are not mixed up with an answer that nobody asked for', async () => {
    const { submit, counting, failed, answered } = linkOf();
    submit(1);
    await turns();
    const batch = first(counting.open);
    counting.stream.answer({ ...batch, batchId: batch.batchId + 1 });
    await turns();
    expect([failed, answered]).toEqual([[], []]);
    counting.stream.answer(batch);
    await turns();
    expect(answered).toEqual([[1, 1]]);
  });
});

type Step =
  | { readonly kind: 'submit'; readonly items: number }
  | { readonly kind: 'answer' | 'answer-late' | 'answer-badly'; readonly which: number }
  | { readonly kind: 'break' | 'end' | 'refuse' | 'turn' }
  | { readonly kind: 'wait'; readonly ms: number };

const which = fc.nat(7);
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('submit' as const), items: fc.integer({ min: 1, max: 9 }) }),
  fc.record({
    kind: fc.constantFrom('answer' as const, 'answer' as const, 'answer-late' as const, 'answer-badly' as const),
    which,
  }),
  fc.record({ kind: fc.constantFrom('break' as const, 'end' as const, 'refuse' as const, 'turn' as const) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, deadlineMs / 2, deadlineMs) }),
);

test('whatever happens, every request has exactly one outcome, and requests leave in their order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 3 }),
      async (steps, batchRequests, batchesInFlight) => {
        const { link, counting, clock, answered, failed, submit } = linkOf({ batchRequests, batchesInFlight });
        const seen = new Set<CountBatch>();
        let submitted = 0;
        const look = async () => {
          await turns(2);
          for (const batch of counting.open) seen.add(batch);
          const outcomes = answered.length + failed.length;
          const left = [...seen].flatMap(itemsOf).length;
          expect(left - outcomes).toBeLessThanOrEqual(batchRequests * batchesInFlight);
        };
        const run = (each: Step) => {
          if (each.kind === 'submit') {
            submit(...range(submitted + 1, submitted + each.items));
            submitted += each.items;
          } else if (each.kind === 'wait') {
            clock.advance(each.ms);
            link.expire();
          } else if (each.kind === 'refuse') {
            counting.refusal = counting.refusal === undefined ? new Error('nobody listens') : undefined;
          } else if (each.kind !== 'turn' && counting.streams.length > 0) {
            const { stream } = counting;
            if (each.kind === 'break') stream.break(new Error('connection reset'));
            else if (each.kind === 'end') stream.end();
            else if ('which' in each) {
              const batches = each.kind === 'answer-late' ? [...seen] : stream.open;
              const batch = batches[each.which % Math.max(1, batches.length)];
              if (batch !== undefined) stream.answer(batch, each.kind === 'answer-badly' ? { results: [] } : {});
            }
          }
        };
        for (const each of steps) {
          run(each);
          await look();
        }
        for (let round = 0; round <= submitted && answered.length + failed.length < submitted; round += 1) {
          run({ kind: 'wait', ms: deadlineMs });
          await look();
        }
        const outcomes = [...answered, ...failed].map(([item]) => item).sort((a, b) => a - b);
        expect(outcomes).toEqual(range(1, submitted));
        expect(answered.every(([item, count]) => item === count)).toBe(true);
        const order = [...seen].flatMap(itemsOf);
        expect(order).toEqual(order.toSorted((a, b) => a - b));
      },
    ),
    { numRuns: 150 },
  );
});
