import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StreamedEvent } from '@muster/events';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { distinctIds, RelaySite, type TestRelay } from '../test/relay-site.ts';

let site: RelaySite;

beforeAll(async () => {
  site = await RelaySite.start();
});
beforeEach(() => site.clear());
afterAll(() => site.stop());

const lostEvents = 'the stream has lost events; they are published again from the log';

async function deleteStream(): Promise<void> {
  const connection = await connect({ servers: site.nats.url });
  await (await jetstreamManager(connection)).streams.delete('MUSTER');
  await connection.close();
}

/** Waits until the relay says that the stream has lost events. @returns the seconds that it took. */
async function noticed({ warnings }: TestRelay, since: number): Promise<number> {
  await vi.waitUntil(() => warnings.some(({ message }) => message === lostEvents), { timeout: 20_000, interval: 10 });
  return (performance.now() - since) / 1000;
}

/** A consumer that has read from the beginning and goes on whatever happens. */
async function follow(): Promise<readonly StreamedEvent[]> {
  const bus = await site.openBus();
  const events: StreamedEvent[] = [];
  const ending = new AbortController();
  const reading = (async () => {
    for await (const event of bus.read({ signal: ending.signal })) events.push(event);
  })();
  onTestFinished(async () => {
    ending.abort();
    await reading;
  });
  return events;
}

/** Every row at least once, and once after de-duplication, in the order of the log, for whoever reads now and for whoever read on. */
async function expectComplete(followed: readonly StreamedEvent[]): Promise<void> {
  await site.published();
  const logged = await site.logged();
  expect(distinctIds(await site.streamed())).toEqual(logged);
  await vi.waitUntil(() => distinctIds(followed).length >= logged.length, { timeout: 20_000 });
  expect(distinctIds(followed)).toEqual(logged);
}

describe('the relay notices within ten seconds', () => {
  test('that the stream was deleted, and fills it again', async () => {
    const relay = await site.openRelay('counting-1');
    await site.relays('counting-1');
    const followed = await follow();
    await site.count(1_200);
    await site.published();
    await vi.waitUntil(() => distinctIds(followed).length === 1_200, { timeout: 20_000 });
    await deleteStream();
    const deleted = performance.now();
    expect(await noticed(relay, deleted)).toBeLessThan(10);
    await site.count(300);
    await expectComplete(followed);
  });

  test('that the stream was deleted while rows are committed', async () => {
    await site.openRelay('counting-1');
    await site.relays('counting-1');
    const followed = await follow();
    const counting = site.count(5_000);
    await vi.waitUntil(() => followed.length > 500, { timeout: 20_000, interval: 5 });
    await deleteStream();
    await counting;
    await site.published();
    await vi.waitUntil(async () => distinctIds(await site.streamed()).length === 5_000, { timeout: 20_000 });
    expect(distinctIds(await site.streamed())).toEqual(await site.logged());
  });

  test('that the store was replaced by an older copy', async () => {
    const relay = await site.openRelay('counting-1');
    await site.relays('counting-1');
    const followed = await follow();
    await site.count(500);
    await site.published();
    const copy = mkdtempSync(join(tmpdir(), 'muster-nats-copy-'));
    onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
    await site.nats.kill('SIGTERM');
    cpSync(site.nats.storeDirectory, copy, { recursive: true });
    await site.nats.restart();
    await site.count(10_000);
    await site.published();
    await vi.waitUntil(() => distinctIds(followed).length === 10_500, { timeout: 20_000 });

    await site.nats.kill('SIGTERM');
    rmSync(site.nats.storeDirectory, { recursive: true });
    cpSync(copy, site.nats.storeDirectory, { recursive: true });
    await site.nats.restart();
    const replaced = performance.now();
    expect(await noticed(relay, replaced)).toBeLessThan(10);
    await site.count(200);
    await expectComplete(followed);
    // No more than what was lost came again.
    expect((await site.streamed()).length).toBe(10_700);
  });

  test('when it takes over from a relay that had published into another stream', async () => {
    const first = await site.openRelay('counting-1');
    await site.relays('counting-1');
    await site.count(700);
    await site.published();
    await first.relay.stop();
    await deleteStream();
    const second = await site.openRelay('counting-2');
    await noticed(second, performance.now());
    await site.published();
    expect(distinctIds(await site.streamed())).toEqual(await site.logged());
  });
});

describe('the relay publishes nothing again', () => {
  test('when others publish into the stream, or events have grown too old', async () => {
    const relay = await site.openRelay('counting-1');
    await site.relays('counting-1');
    await site.count(700);
    await site.published();
    const connection = await connect({ servers: site.nats.url });
    onTestFinished(() => connection.close());
    connection.publish('muster.v1.settings.changed', '{}');
    await connection.flush();
    await (await jetstreamManager(connection)).streams.purge('MUSTER');
    await site.count(100);
    await site.published();
    // Four seconds hold at least one comparison without any other cause.
    const { connection: compared } = relay.bus.stream;
    const inspected = vi.spyOn(relay.bus.stream, 'inspect');
    await vi.waitUntil(() => inspected.mock.calls.length >= 2, { timeout: 10_000 });
    expect(relay.bus.stream.connection).toBe(compared);
    expect(distinctIds(await site.streamed())).toEqual((await site.logged()).slice(700));
    expect(relay.warnings.filter(({ message }) => message === lostEvents)).toEqual([]);
  });
});
