import type { CountBatch, CountedBatch } from '@muster/contracts/counting';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { deadlineMs, itemsOf, LinkUnderTest, range, turns } from '../testing/link-under-test.ts';

describe('how requests travel to counting', () => {
  test('a lone request leaves at once, alone, and no clock has to move', async () => {
    const tested = await LinkUnderTest.started();
    await tested.submit(1);
    expect(tested.underWay).toEqual([[1]]);
    await tested.answer(tested.batch);
    expect(tested.answered).toEqual([[1, 1]]);
  });

  test('what the sockets bring in one turn leaves together', async () => {
    const tested = await LinkUnderTest.started();
    tested.link.submit(1);
    tested.link.submit(2);
    await tested.submit(3, 4);
    expect(tested.underWay).toEqual([[1, 2, 3, 4]]);
  });

  test('requests of connections that are being taken are waited for, turn by turn', async () => {
    const tested = await LinkUnderTest.started();
    for (const item of [1, 2, 3]) {
      tested.link.expectMore();
      tested.link.submit(item);
      await turns(1);
      expect(tested.underWay).toEqual([]);
    }
    await turns();
    expect(tested.underWay).toEqual([[1, 2, 3]]);
  });

  test('requests of connections that are being taken are waited for no longer than 2 ms', async () => {
    const tested = await LinkUnderTest.started();
    tested.link.submit(1);
    tested.link.expectMore();
    await turns(1);
    tested.clock.advance(2);
    tested.link.expectMore();
    await turns();
    expect(tested.underWay).toEqual([[1]]);
  });

  test('a full batch waits for nobody', async () => {
    const tested = await LinkUnderTest.started({ batchRequests: 2 });
    tested.link.expectMore();
    tested.link.submit(1);
    tested.link.submit(2);
    await turns(1);
    expect(tested.underWay).toEqual([[1, 2]]);
  });

  test('what arrives while every lane has a batch leaves together when one is free', async () => {
    const tested = await LinkUnderTest.started();
    for (const item of [1, 2, 3, 4, 5]) await tested.submit(item);
    expect(tested.underWay).toEqual([[1], [2]]);
    await tested.answer(tested.batch);
    expect(tested.underWay).toEqual([[3, 4, 5], [2]]);
  });

  test('a batch has at most so many requests, and a lane one batch at most', async () => {
    const tested = await LinkUnderTest.started({ batchRequests: 4, lanes: 3 });
    await tested.submit(...range(1, 30));
    expect(tested.underWay).toEqual([range(1, 4), range(5, 8), range(9, 12)]);
    await tested.answer(tested.batch);
    expect(tested.underWay).toEqual([range(13, 16), range(5, 8), range(9, 12)]);
    for (let rounds = 0; rounds < 20 && tested.counting.open.length > 0; rounds += 1) {
      await tested.answer(tested.batch);
      expect(tested.counting.streams.every(({ open }) => open.length <= 1)).toBe(true);
    }
    expect(tested.answered.map(([item]) => item).sort((one, other) => one - other)).toEqual(range(1, 30));
    expect(tested.answered.every(([item, count]) => item === count)).toBe(true);
  });

  test('lone requests take turns over the lanes, so that each replica has its share', async () => {
    const tested = await LinkUnderTest.started({ lanes: 3 });
    const streams: number[] = [];
    for (const item of range(1, 6)) {
      await tested.submit(item);
      streams.push(tested.counting.streams.indexOf(tested.counting.streamOf(tested.batch)));
      await tested.answer(tested.batch);
    }
    expect(streams).toEqual([0, 1, 2, 0, 1, 2]);
  });

  test('the streams end when the link is closed, after the answers to what is under way', async () => {
    const tested = await LinkUnderTest.started();
    await tested.submit(1);
    tested.link.close();
    await tested.submit(2);
    expect(tested.counting.streams.map(({ ended, cancelled }) => [ended, cancelled])).toEqual([
      [true, false],
      [true, false],
    ]);
    await tested.answer(tested.batch);
    expect(tested.answered).toEqual([[1, 1]]);
    expect(tested.failed).toEqual([[2, 'The gateway is stopping.']]);
    await tested.pass(10_000);
    expect(tested.counting.streams).toHaveLength(2);
  });

  test('what has travelled is counted', async () => {
    const tested = await LinkUnderTest.started();
    await tested.submit(1, 2);
    await tested.answer(tested.batch);
    await tested.submit(3);
    await tested.answer(tested.batch, { results: [], failure: 'The disk is full.' });
    expect(tested.link.state).toEqual({
      lanes: 2,
      lanesTrusted: 1,
      lastFailure: { reason: 'The disk is full.', atMs: 0 },
      batches: 2,
      requests: 3,
      resent: 0,
      failed: 1,
    });
  });
});

describe('requests that counting does not answer as it should', () => {
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
    const tested = await LinkUnderTest.started();
    await tested.submit(1, 2);
    await tested.answer(tested.batch, change);
    expect(tested.failed).toEqual([
      [1, reason],
      [2, reason],
    ]);
    await tested.submit(3);
    await tested.answer(tested.batch);
    expect(tested.answered).toEqual([[3, 3]]);
    expect(tested.counting.streams).toHaveLength(2);
  });

  test('fail when their stream breaks, because nobody knows what was committed; others wait for another lane', async () => {
    const tested = await LinkUnderTest.started({ batchRequests: 1 });
    await tested.submit(1, 2, 3);
    tested.counting.streamOf(tested.batch).break(new Error('connection reset'));
    await turns();
    await tested.pass(50);
    expect(tested.failed).toEqual([[1, 'The connection to counting ended.']]);
    for (let round = 0; round < 2; round += 1) await tested.answer(tested.batch);
    expect(tested.answered.map(([item]) => item).sort()).toEqual([2, 3]);
    expect(tested.link.state).toMatchObject({ resent: 0, lanesTrusted: 2 });
  });

  test('fail when their time is over before a lane was free, with time left for an answer', async () => {
    const tested = await LinkUnderTest.started({ lanes: 1 });
    await tested.submit(1);
    await tested.pass(200);
    await tested.submit(2);
    await tested.pass(550);
    expect(tested.failed).toEqual([]);
    await tested.pass(50);
    expect(tested.failed).toEqual([[2, 'Counting is not answering.']]);
    await tested.answer(tested.batch);
    expect(tested.answered).toEqual([[1, 1]]);
  });

  test('are not mixed up with an answer that nobody asked for', async () => {
    const tested = await LinkUnderTest.started();
    await tested.submit(1);
    const { batch } = tested;
    tested.counting.streamOf(batch).answer({ ...batch, batchId: batch.batchId + 1 });
    await turns();
    expect([tested.failed, tested.answered]).toEqual([[], []]);
    await tested.answer(batch);
    expect(tested.answered).toEqual([[1, 1]]);
  });
});

describe('while counting is away', () => {
  test('the requests of a batch without an answer fail at their deadline, once, and a late answer changes nothing', async () => {
    const tested = await LinkUnderTest.started({ lanes: 1 });
    await tested.submit(1, 2);
    const late = tested.batch;
    const stream = tested.counting.streamOf(late);
    await tested.pass(deadlineMs - 50);
    expect(tested.failed).toEqual([]);
    await tested.pass(50);
    const reason = 'Counting did not answer in time.';
    expect(tested.failed).toEqual([
      [1, reason],
      [2, reason],
    ]);
    expect(stream.cancelled).toBe(true);
    stream.answer(late);
    await tested.pass(50);
    await tested.submit(3);
    await tested.answer(tested.batch);
    expect([tested.answered, tested.failed.length]).toEqual([[[3, 3]], 2]);
    expect(tested.counting.streams).toHaveLength(2);
  });

  test('requests fail at once when no lane is trusted, with what is known, until a probe is answered', async () => {
    const tested = await LinkUnderTest.started();
    tested.counting.answersProbes = false;
    await tested.submit(1);
    await tested.submit(2);
    await tested.pass(deadlineMs + 50);
    tested.failed.length = 0;
    await tested.submit(3);
    expect(tested.failed).toEqual([[3, 'Counting did not answer in time.']]);
    expect([tested.underWay, tested.link.state.lanesTrusted]).toEqual([[], 0]);
    await tested.answer(tested.probe);
    await tested.submit(4);
    await tested.answer(tested.batch);
    expect(tested.answered).toEqual([[4, 4]]);
  });

  test('a lane is asked by one probe at a time, on a new stream each, and never without a pause', async () => {
    const tested = await LinkUnderTest.started({ lanes: 1 });
    tested.counting.answersProbes = false;
    await tested.submit(1);
    await tested.pass(60_000);
    expect(tested.counting.openStreams.length).toBeLessThanOrEqual(1);
    expect(tested.counting.probes.length).toBeLessThanOrEqual(1);
    // 900 ms for each probe, then a pause of 625 ms that the sweeps round up to 650.
    expect(tested.counting.streams.length).toBeGreaterThanOrEqual(38);
    expect(tested.counting.streams.length).toBeLessThanOrEqual(40);
    expect(tested.counting.streams.slice(0, -2).every(({ cancelled }) => cancelled)).toBe(true);
  });

  test.each([0, 0.5, 0.999])('its return is noticed within two seconds (jitter %f)', async (jitter) => {
    const tested = await LinkUnderTest.started({ lanes: 4, random: () => jitter });
    tested.counting.refusal = new Error('nobody listens');
    for (const stream of tested.counting.streams) stream.break(new Error('connection reset'));
    await tested.pass(30_000);
    await tested.submit(1);
    expect(tested.failed).toEqual([[1, 'The connection to counting ended.']]);
    tested.counting.refusal = undefined;
    await tested.pass(1_050);
    expect(tested.link.state.lanesTrusted).toBe(4);
  });

  test('a database that is away is asked for on the same stream, then on others: perhaps another replica reaches it', async () => {
    const tested = await LinkUnderTest.started({ lanes: 1 });
    tested.counting.answersProbes = false;
    const away = { results: [], failure: 'The count cannot be committed at the moment.' };
    await tested.submit(1);
    await tested.answer(tested.batch, away);
    expect(tested.counting.probes).toEqual([]);
    await tested.pass(50);
    expect(tested.counting.streams).toHaveLength(1);
    await tested.answer(tested.probe, away);
    await tested.submit(2);
    expect(tested.failed.map(([, reason]) => reason)).toEqual([away.failure, away.failure]);
    await tested.pass(650);
    expect(tested.counting.streams.map(({ ended }) => ended)).toEqual([true, false]);
    await tested.answer(tested.probe);
    await tested.submit(3);
    await tested.answer(tested.batch);
    expect(tested.answered).toEqual([[3, 3]]);
  });
});

describe('when a gateway starts', () => {
  test('the first request waits for the first probe', async () => {
    const tested = new LinkUnderTest();
    tested.counting.answersProbes = false;
    tested.link.start();
    await tested.submit(1);
    expect([tested.underWay, tested.failed]).toEqual([[], []]);
    await tested.answer(tested.probe);
    await tested.answer(tested.batch);
    expect(tested.answered).toEqual([[1, 1]]);
  });

  test('before counting listens, requests fail after a second try, then at once', async () => {
    const tested = new LinkUnderTest();
    tested.counting.refusal = new Error('nobody listens');
    tested.link.start();
    await tested.submit(1);
    expect(tested.failed).toEqual([]);
    await tested.pass(50);
    expect(tested.failed).toEqual([[1, 'The connection to counting ended.']]);
    await tested.submit(2);
    expect(tested.failed).toHaveLength(2);
  });

  test('a server that is just going away is forgiven', async () => {
    const tested = new LinkUnderTest();
    tested.counting.refusal = new Error('nobody listens');
    tested.link.start();
    await tested.submit(1);
    tested.counting.refusal = undefined;
    await tested.pass(50);
    await tested.answer(tested.batch);
    expect([tested.answered, tested.failed]).toEqual([[[1, 1]], []]);
    expect(tested.link.state.lastFailure).toBeUndefined();
  });

  test('before counting answers, requests fail within their deadline, then at once', async () => {
    const tested = new LinkUnderTest();
    tested.counting.answersProbes = false;
    tested.link.start();
    await tested.submit(1);
    await tested.pass(deadlineMs);
    expect(tested.failed).toHaveLength(1);
    await tested.submit(2);
    expect(tested.failed).toHaveLength(2);
  });
});

describe('a stream that the server ends in order', () => {
  test('has not handled what it did not answer, which travels again on another lane at once', async () => {
    const tested = await LinkUnderTest.started({ batchRequests: 2 });
    await tested.submit(1, 2);
    await tested.submit(3, 4);
    await tested.submit(5);
    tested.counting.answersProbes = false;
    const [, other] = tested.counting.open;
    tested.counting.streamOf(tested.batch).end();
    await turns();
    await tested.answer(other as CountBatch);
    expect(tested.underWay).toEqual([[1, 2]]);
    await tested.answer(tested.batch);
    await tested.answer(tested.batch);
    expect(tested.answered.map(([item]) => item)).toEqual([3, 4, 1, 2, 5]);
    expect(tested.failed).toEqual([]);
    expect(tested.link.state).toMatchObject({ resent: 2, lanesTrusted: 1 });
  });

  test('may end as often as it likes: the requests wait for the next one', async () => {
    const tested = await LinkUnderTest.started();
    await tested.pass(1_500);
    await tested.submit(1, 2, 3);
    for (let end = 0; end < 4; end += 1) {
      tested.counting.streamOf(tested.batch).end();
      await tested.pass(150);
    }
    expect(tested.underWay).toEqual([[1, 2, 3]]);
    await tested.answer(tested.batch);
    expect([tested.answered.length, tested.failed.length, tested.link.state.resent]).toEqual([3, 0, 12]);
  });

  test('of the only lane leaves nobody without an answer', async () => {
    const tested = await LinkUnderTest.started({ lanes: 1 });
    await tested.pass(1_500);
    await tested.submit(1);
    tested.counting.streamOf(tested.batch).end();
    await tested.submit(2);
    await tested.answer(tested.batch);
    expect(tested.answered).toEqual([
      [1, 1],
      [2, 2],
    ]);
  });

  test('does not lengthen the time of the requests', async () => {
    const tested = await LinkUnderTest.started({ lanes: 1 });
    await tested.pass(1_500);
    await tested.submit(1);
    tested.counting.answersProbes = false;
    tested.counting.streamOf(tested.batch).end();
    await tested.pass(deadlineMs);
    expect(tested.failed).toHaveLength(1);
  });

  test('puts its requests back where they were: each fails in its own time', async () => {
    const tested = await LinkUnderTest.started();
    await tested.pass(1_500);
    await tested.submit(1);
    await tested.pass(100);
    await tested.submit(2);
    tested.counting.answersProbes = false;
    const [one, other] = tested.counting.open.map((batch) => tested.counting.streamOf(batch));
    one?.end();
    await turns();
    other?.end();
    await tested.pass(500);
    expect(tested.failed.map(([item]) => item)).toEqual([1]);
    await tested.pass(100);
    expect(tested.failed.map(([item]) => item)).toEqual([1, 2]);
  });

  test('again and again is not replaced without a pause', async () => {
    const tested = await LinkUnderTest.started({ lanes: 1 });
    tested.counting.answersProbes = false;
    for (let step = 0; step < 200; step += 1) {
      for (const stream of tested.counting.openStreams) stream.end();
      await tested.pass(50);
    }
    expect(tested.counting.streams.length).toBeLessThan(25);
  });
});

describe('a stream that serves', () => {
  test('is given up in order: first soon, so that a replica that is back has its share, then every minute', async () => {
    const tested = await LinkUnderTest.started({ lanes: 1 });
    const ages: number[] = [];
    for (let streams = 1, age = 0; streams <= 8; age += 50) {
      await tested.pass(50);
      if (tested.counting.streams.length === streams) continue;
      ages.push(age + 50);
      streams += 1;
      age = -50;
    }
    expect(ages).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    const closed = tested.counting.streams.map(({ ended, cancelled }) => [ended, cancelled]);
    expect(closed).toEqual([...Array(8).fill([true, false]), [false, false]]);
    await tested.submit(1);
    await tested.answer(tested.batch);
    expect(tested.answered).toEqual([[1, 1]]);
  });

  test('is given up soon again after one that ended otherwise', async () => {
    const tested = await LinkUnderTest.started({ lanes: 1 });
    await tested.pass(25_000);
    const { streams } = tested.counting;
    tested.counting.stream.end();
    await turns();
    const before = streams.length;
    await tested.pass(1_950);
    expect(streams).toHaveLength(before);
    await tested.pass(50);
    expect(streams).toHaveLength(before + 1);
  });

  test('is not given up under a batch', async () => {
    const tested = await LinkUnderTest.started({ lanes: 1 });
    await tested.pass(1_900);
    await tested.submit(1);
    await tested.pass(500);
    expect(tested.counting.stream.ended).toBe(false);
    await tested.answer(tested.batch);
    await tested.pass(50);
    expect(tested.counting.streams.map(({ ended }) => ended)).toEqual([true, false]);
    expect(tested.answered).toEqual([[1, 1]]);
  });

  test('and whose end is late or an error disturbs nobody', async () => {
    const tested = await LinkUnderTest.started({ lanes: 1 });
    await tested.pass(2_000);
    await tested.submit(1);
    tested.counting.streams[0]?.break(new Error('connection reset'));
    await turns();
    await tested.answer(tested.batch);
    expect(tested.answered).toEqual([[1, 1]]);
    expect(tested.link.state).toMatchObject({ lanesTrusted: 1, lastFailure: undefined });
  });

  test('is probed while nobody asks, so that trust is not stale', async () => {
    const tested = await LinkUnderTest.started({ lanes: 1 });
    await tested.pass(30_000);
    tested.counting.answersProbes = false;
    await tested.pass(5_000);
    expect(tested.counting.probes).toHaveLength(1);
    await tested.pass(deadlineMs);
    expect(tested.link.state).toMatchObject({ lanesTrusted: 0 });
    expect(tested.link.state.lastFailure?.reason).toBe('Counting did not answer in time.');
  });
});

type Step =
  | { readonly kind: 'submit'; readonly items: number }
  | { readonly kind: 'answer' | 'answer-late' | 'answer-badly' | 'fail' | 'break' | 'end'; readonly which: number }
  | { readonly kind: 'refuse' | 'hush' | 'turn' }
  | { readonly kind: 'wait'; readonly ms: number };

const which = fc.nat(7);
const answers = ['answer', 'answer', 'answer', 'answer-late', 'answer-badly', 'fail', 'break', 'end', 'end'] as const;
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ kind: fc.constant('submit' as const), items: fc.integer({ min: 1, max: 9 }) }),
  fc.record({ kind: fc.constantFrom(...answers), which }),
  fc.record({ kind: fc.constantFrom('refuse' as const, 'hush' as const, 'turn' as const) }),
  fc.record({ kind: fc.constant('wait' as const), ms: fc.constantFrom(1, 50, 300, deadlineMs, 6_000) }),
);

test('whatever happens, each request has one outcome in its time, and travels again only after an end in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 30 }),
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 3 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      async (steps, batchRequests, lanes, jitter) => {
        const tested = new LinkUnderTest({ batchRequests, lanes, random: () => jitter });
        const { counting, answered, failed } = tested;
        tested.link.start();
        const seen = new Set<CountBatch>();
        /** Items that a stream has taken and not given back in order: they must not travel again. */
        const taken = new Map<CountBatch, 'with counting' | 'given back'>();
        let submitted = 0;
        const look = async () => {
          await turns(3);
          for (const stream of counting.streams) expect(stream.open.length + stream.probes.length).toBeLessThan(2);
          for (const batch of counting.open) {
            if (taken.has(batch)) continue;
            const others = [...taken]
              .filter(([, state]) => state === 'with counting')
              .flatMap(([each]) => itemsOf(each));
            expect(itemsOf(batch).filter((item) => others.includes(item))).toEqual([]);
            taken.set(batch, 'with counting');
            seen.add(batch);
          }
        };
        const run = async (each: Step) => {
          if (each.kind === 'submit') {
            await tested.submit(...range(submitted + 1, submitted + each.items));
            submitted += each.items;
          } else if (each.kind === 'wait') {
            for (let leftMs = each.ms; leftMs > 0; leftMs -= 50) {
              await tested.pass(Math.min(50, leftMs));
              await look();
            }
          } else if (each.kind === 'refuse') {
            counting.refusal = counting.refusal === undefined ? new Error('nobody listens') : undefined;
          } else if (each.kind === 'hush') {
            counting.answersProbes = !counting.answersProbes;
          } else if ('which' in each) {
            await touch(each);
          }
        };
        const touch = async (each: Extract<Step, { which: number }>) => {
          const all = each.kind === 'answer-late' ? [...seen] : [...counting.open, ...counting.probes];
          const batch = all[each.which % Math.max(1, all.length)];
          if (batch === undefined) return;
          const waits = counting.open.includes(batch) || counting.probes.includes(batch);
          const stream = waits ? counting.streamOf(batch) : counting.stream;
          if (each.kind === 'break') stream.break(new Error('connection reset'));
          else if (each.kind === 'end') {
            for (const back of stream.open) taken.set(back, 'given back');
            stream.end();
          } else if (each.kind === 'fail') stream.answer(batch, { results: [], failure: 'The database is away.' });
          else if (waits || each.kind === 'answer-late') {
            stream.answer(batch, each.kind === 'answer-badly' ? { results: [] } : {});
          }
        };
        for (const each of steps) {
          await run(each);
          await look();
        }
        await run({ kind: 'wait', ms: deadlineMs });
        const outcomes = [...answered, ...failed].map(([item]) => item).sort((one, other) => one - other);
        expect(outcomes).toEqual(range(1, submitted));
        expect(answered.every(([item, count]) => item === count)).toBe(true);
        // And it heals by itself.
        counting.refusal = undefined;
        counting.answersProbes = true;
        for (const stream of counting.openStreams) for (const probe of [...stream.probes]) stream.answer(probe);
        await run({ kind: 'wait', ms: 2_100 });
        expect(tested.link.state.lanesTrusted).toBe(lanes);
      },
    ),
    { numRuns: 150 },
  );
});
