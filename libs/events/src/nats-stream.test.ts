import { cpSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type JetStreamManager, jetstreamManager, type StreamConfig } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { eventOf, eventsOf, until } from '../testing/events.ts';
import { type NatsServer, startNatsServer } from '../testing/nats-server.ts';
import { connectNatsBus, type NatsBus } from './nats-bus.ts';
import type { BusStatus } from './nats-connection.ts';
import { type StreamOptions, streamOptions } from './stream-configuration.ts';

let server: NatsServer;
let manager: JetStreamManager;
let statuses: BusStatus[];

beforeEach(async () => {
  server = await startNatsServer();
  statuses = [];
  const connection = await connect({ servers: server.url });
  onTestFinished(() => connection.close());
  manager = await jetstreamManager(connection);
});
afterEach(() => server.stop());

async function open(stream: StreamOptions = {}): Promise<NatsBus> {
  const bus = connectNatsBus({
    servers: [server.url],
    name: 'test',
    stream,
    onStatus: (status) => statuses.push(status),
  });
  onTestFinished(() => bus.close());
  await until(() => bus.connected, 'a connection');
  return bus;
}

const configurationOf = async () => (await manager.streams.info('MUSTER')).config;
const day = 24 * 60 * 60 * 1e9;

describe('the stream', () => {
  test('is made on files, with limits, where there is none', async () => {
    const bus = await open();
    expect(await bus.stream.inspect()).toMatchObject({ firstSequence: 0, lastSequence: 0, lastLogged: undefined });
    expect(await configurationOf()).toMatchObject({
      subjects: ['muster.v1.>'],
      storage: 'file',
      retention: 'limits',
      discard: 'old',
      num_replicas: 1,
      max_age: 30 * day,
      max_bytes: 4 * 1024 ** 3,
      duplicate_window: 120e9,
    });
  });

  test('is made with the limits that the settings name', async () => {
    const bus = await open({ ...streamOptions({ maximumAgeDays: 7, maximumGib: 1 }), duplicateWindowMs: 5_000 });
    expect((await bus.stream.inspect()).maximumAgeMs).toBe(7 * 24 * 60 * 60 * 1000);
    expect(await configurationOf()).toMatchObject({
      max_age: 7 * day,
      max_bytes: 1024 ** 3,
      duplicate_window: 5e9,
    });
  });

  test('is made by one of several that come at once', async () => {
    const buses = await Promise.all([open(), open(), open({ maximumBytes: 1024 ** 3 })]);
    const states = await Promise.all(buses.map((bus) => bus.stream.inspect()));
    expect(new Set(states.map(({ incarnation }) => incarnation)).size).toBe(1);
  });

  test('keeps larger limits that an operator has set, and the log says so once', async () => {
    const bus = await open();
    await bus.stream.inspect();
    await manager.streams.update('MUSTER', { max_age: 90 * day });
    await bus.stream.inspect();
    await bus.stream.inspect();
    expect((await configurationOf()).max_age).toBe(90 * day);
    expect(statuses.filter(({ message }) => message.includes('max_age is'))).toHaveLength(1);
  });

  const unsafe: readonly [string, Partial<StreamConfig>, RegExp][] = [
    ['keeps events in memory', { storage: 'memory' }, /it keeps events in memory, not in files/],
    ['has other subjects', { subjects: ['muster.v1.activation.>'] }, /its subjects are muster\.v1\.activation\.>/],
    ['is a work queue', { retention: 'workqueue' }, /its retention is workqueue/],
    ['acknowledges nothing', { no_ack: true }, /it acknowledges nothing/],
  ];
  test.each(unsafe)('that %s is refused with the remedy, and gets no event', async (_, configuration, message) => {
    await manager.streams.add({ name: 'MUSTER', subjects: ['muster.v1.>'], ...configuration });
    const bus = await open();
    await expect(bus.stream.inspect()).rejects.toMatchObject({
      code: 'STREAM_UNUSABLE',
      message: expect.stringMatching(message),
      remedy: expect.stringContaining('nats stream edit MUSTER'),
    });
    await expect(bus.publish([eventOf(1)])).rejects.toMatchObject({ code: 'STREAM_UNUSABLE' });
    expect(bus.health()).toEqual({ connected: true, problem: expect.stringMatching(message) });
    expect(statuses.filter(({ level }) => level === 'warn')).toHaveLength(1);
    expect((await manager.streams.info('MUSTER')).state.messages).toBe(0);
  });

  test('that is repaired is used', async () => {
    await manager.streams.add({ name: 'MUSTER', subjects: ['muster.v1.activation.>'] });
    const bus = await open();
    await expect(bus.publish([eventOf(1)])).rejects.toMatchObject({ code: 'STREAM_UNUSABLE' });
    await manager.streams.update('MUSTER', { subjects: ['muster.v1.>'] });
    await bus.publish([eventOf(1)]);
    expect(bus.health().problem).toBeUndefined();
  });

  test('that needs more than the server has is refused with the remedy', async () => {
    const many = await open({ replicas: 3 });
    await expect(many.stream.inspect()).rejects.toMatchObject({
      code: 'STREAM_UNUSABLE',
      remedy: expect.stringContaining('MUSTER_NATS_STREAM_REPLICAS'),
    });
    const large = await open({ maximumBytes: 2 ** 50 });
    await expect(large.stream.inspect()).rejects.toMatchObject({
      code: 'STREAM_UNUSABLE',
      remedy: expect.stringContaining('MUSTER_NATS_STREAM_MAX_GIB'),
    });
  });

  test('tells the last event that carries a log position, whatever came after it', async () => {
    const bus = await open();
    await bus.publish(eventsOf(41, 43));
    await bus.publish([{ ...eventOf(99), subject: 'muster.v1.settings.changed' }]).catch(() => undefined);
    expect(await bus.stream.inspect()).toMatchObject({
      lastSequence: 4,
      lastLogged: { sequence: 3, eventId: 'event-43', logPosition: 43 },
    });
    expect(await bus.stream.eventIdAt(2)).toBe('event-42');
    expect(await bus.stream.eventIdAt(5)).toBeUndefined();
  });

  test('that was deleted and made again has another incarnation', async () => {
    const bus = await open();
    const before = await bus.stream.inspect();
    await bus.publish(eventsOf(1, 3));
    await manager.streams.delete('MUSTER');
    await expect(bus.publish(eventsOf(4, 5))).rejects.toMatchObject({ code: 'UNAVAILABLE', acknowledged: 0 });
    const after = await bus.stream.inspect();
    expect(after.incarnation).not.toBe(before.incarnation);
    expect(after.lastSequence).toBe(0);
  });

  test('that an operator made again under the publisher gets no event in the wrong order', async () => {
    const bus = await open();
    await bus.publish(eventsOf(1, 3));
    const { config } = await manager.streams.info('MUSTER');
    await manager.streams.delete('MUSTER');
    await manager.streams.add(config);
    await expect(bus.publish(eventsOf(4, 9))).rejects.toMatchObject({ code: 'UNAVAILABLE', acknowledged: 0 });
    expect((await bus.stream.inspect()).lastSequence).toBe(0);
  });

  test('of an older copy of the store tells where it ends', async () => {
    const bus = await open();
    await bus.publish(eventsOf(1, 300));
    const before = await bus.stream.inspect();
    await server.kill('SIGTERM');
    const copy = join(tmpdir(), `muster-nats-copy-${process.pid}`);
    onTestFinished(() => rmSync(copy, { recursive: true, force: true }));
    cpSync(server.storeDirectory, copy, { recursive: true });
    await server.restart();
    await until(() => bus.connected, 'a connection');
    await bus.publish(eventsOf(301, 900));
    await server.kill('SIGTERM');
    rmSync(server.storeDirectory, { recursive: true });
    cpSync(copy, server.storeDirectory, { recursive: true });
    await server.restart();
    await until(() => bus.connected, 'a connection');
    expect(await bus.stream.inspect()).toMatchObject({
      incarnation: before.incarnation,
      lastSequence: 300,
      lastLogged: { eventId: 'event-300', logPosition: 300 },
    });
  });

  test('of a server without JetStream is missed with the remedy', async () => {
    const bare = await startNatsServer({ configuration: 'jetstream: false' });
    onTestFinished(() => bare.stop());
    const bus = connectNatsBus({ servers: [bare.url], name: 'test' });
    onTestFinished(() => bus.close());
    await until(() => bus.connected, 'a connection');
    await expect(bus.stream.inspect()).rejects.toMatchObject({
      code: 'STREAM_UNUSABLE',
      remedy: expect.stringContaining('deploy/nats/nats.conf'),
    });
  });
});
