import type { ReplayProgress } from '@muster/contracts/counting';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { distinctIds, RelaySite } from '../test/relay-site.ts';

let site: RelaySite;

beforeAll(async () => {
  site = await RelaySite.start();
});
beforeEach(() => site.clear());
afterAll(() => site.stop());

async function replay(sinceUnixMs: number): Promise<ReplayProgress[]> {
  const progress: ReplayProgress[] = [];
  for await (const each of site.administration.replayEvents({ sinceUnixMs })) progress.push(each);
  return progress;
}

describe('the outbox', () => {
  test('tells how many rows wait, how far the relay has come and who it is', async () => {
    expect(await site.administration.getOutbox({})).toEqual({ lag: 0, relay: '', publishedId: 0 });
    await site.count(120);
    expect(await site.administration.getOutbox({})).toEqual({ lag: 120, relay: '', publishedId: 0 });
    await site.openRelay('counting-1');
    await site.published();
    const [row] = await site.database.query<{ id: number }>({
      name: 'test.last',
      text: 'select max(id) as id from counting.activation_log',
    });
    expect(await site.administration.getOutbox({})).toEqual({ lag: 0, relay: 'counting-1', publishedId: row?.id });
  });
});

describe('a replay', () => {
  test('fills a stream again from a time on, in order, and tells its progress to the end', async () => {
    await site.openRelay('counting-1');
    await site.relays('counting-1');
    await site.count(300);
    await site.published();
    const since = await databaseTime();
    await site.count(1_400);
    await site.published();
    const connection = await connect({ servers: site.nats.url });
    const manager = await jetstreamManager(connection);
    await manager.streams.purge('MUSTER');
    // JetStream remembers ids for the window of the stream, also those of events that are gone.
    const { last_seq: lastSequence } = (await manager.streams.info('MUSTER')).state;
    await expect
      .poll(async () => (await (await replay(since)).at(-1))?.published === 1_400 && (await streamLength(manager)), {
        timeout: 20_000,
        interval: 1_000,
      })
      .toBe(1_400);
    expect(lastSequence).toBe(1_700);
    await connection.close();
    expect(distinctIds(await site.streamed())).toEqual((await site.logged()).slice(300));
  });

  test('waits for the relay, on whichever replica it runs', async () => {
    const first = await site.openRelay('counting-1');
    await site.count(200);
    await site.published();
    await first.relay.stop();
    const answers = site.administration.replayEvents({ sinceUnixMs: 0 })[Symbol.asyncIterator]();
    expect((await answers.next()).value).toEqual({ rows: 200, published: 0 });
    // Nobody relays, and whoever waits is told so.
    expect((await answers.next()).value).toEqual({ rows: 200, published: 0 });
    await site.openRelay('counting-2');
    let last: ReplayProgress | undefined;
    for (let next = await answers.next(); !next.done; next = await answers.next()) last = next.value;
    expect(last).toEqual({ rows: 200, published: 200 });
  });

  test('of nothing ends at once', async () => {
    expect(await replay(0)).toEqual([{ rows: 0, published: 0 }]);
    await site.openRelay('counting-1');
    await site.count(10);
    await site.published();
    const since = (await databaseTime()) + 1;
    await expect.poll(() => Date.now()).toBeGreaterThan(since);
    expect(await replay(since)).toEqual([{ rows: 0, published: 0 }]);
  });

  test('ends for an asker who has gone', async () => {
    const first = await site.openRelay('counting-1');
    await site.count(10);
    await site.published();
    await first.relay.stop();
    const answers = site.administration.replayEvents({ sinceUnixMs: 0 })[Symbol.asyncIterator]();
    await answers.next();
    const waiting = answers.next();
    const gone = answers.return?.();
    await waiting;
    expect(await gone).toMatchObject({ done: true });
  });

  test.each([Number.NaN, -1, 1.5, Number.MAX_SAFE_INTEGER + 1, Date.parse('2200-01-01')])(
    'since %s is refused',
    async (sinceUnixMs) => {
      await expect(replay(sinceUnixMs)).rejects.toMatchObject({
        code: 'INPUT_INVALID',
        message: `Events cannot be published again since ${sinceUnixMs}.`,
      });
    },
  );
});

/** Now, after every row that is there. */
async function databaseTime(): Promise<number> {
  const [row] = await site.database.query<{ last: number }>({
    name: 'test.newest',
    text: 'select max(occurred_at) as last from counting.activation_log',
  });
  const last = (row?.last ?? 0) + 1;
  await expect.poll(() => Date.now(), { interval: 1 }).toBeGreaterThan(last);
  return last;
}

async function streamLength(manager: Awaited<ReturnType<typeof jetstreamManager>>): Promise<number> {
  return (await manager.streams.info('MUSTER')).state.messages;
}
