import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { eventOf, eventsOf, readAll, until } from '../testing/events.ts';
import { type NatsServer, startNatsServer } from '../testing/nats-server.ts';
import { type PublishInterrupted, parseAnnouncement } from './index.ts';
import { connectNatsBus, type NatsBus, type NatsBusOptions } from './nats-bus.ts';
import type { BusStatus } from './nats-connection.ts';

let server: NatsServer;
let statuses: BusStatus[];

beforeEach(async () => {
  server = await startNatsServer();
  statuses = [];
});
afterEach(() => server.stop());

function open(options: Partial<NatsBusOptions> = {}): NatsBus {
  const bus = connectNatsBus({
    servers: [server.url],
    name: 'test',
    onStatus: (status) => statuses.push(status),
    ...options,
  });
  onTestFinished(() => bus.close());
  return bus;
}

async function connected(options: Partial<NatsBusOptions> = {}): Promise<NatsBus> {
  const bus = open(options);
  await until(() => bus.connected, 'a connection');
  return bus;
}

async function operator(): Promise<NatsConnection> {
  const connection = await connect({ servers: server.url });
  onTestFinished(() => connection.close());
  return connection;
}

const idsOf = (events: readonly { readonly event: { readonly id: string } }[]) => events.map(({ event }) => event.id);

describe('the bus on NATS', () => {
  test('keeps events in the stream, in order, as structured CloudEvents with their id for de-duplication', async () => {
    const bus = await connected();
    await bus.publish(eventsOf(1, 600));
    expect(await readAll(bus, 600)).toEqual(
      eventsOf(1, 600).map((each, index) => ({ ...each, sequence: index + 1, storedMs: expect.any(Number) })),
    );
    expect(bus.stream.lastPublished).toMatchObject({ sequence: 600, eventId: 'event-600' });
    const manager = await jetstreamManager(await operator());
    const message = await manager.streams.getMessage('MUSTER', { seq: 1 });
    expect(message?.subject).toBe('muster.v1.activation.granted.windows.vista-business');
    expect(message?.header.get('Content-Type')).toBe('application/cloudevents+json');
    expect(message?.header.get('Nats-Msg-Id')).toBe('event-1');
    expect(message?.json()).toEqual(eventOf(1).event);
  });

  test('stores an event that is published again once', async () => {
    const bus = await connected();
    await bus.publish(eventsOf(1, 10));
    await bus.publish(eventsOf(5, 20));
    expect(idsOf(await readAll(bus, 20))).toEqual(idsOf(eventsOf(1, 20)));
    expect((await bus.stream.inspect()).lastSequence).toBe(20);
  });

  test('tells how many were acknowledged when somebody else publishes in between, and goes on from there', async () => {
    const bus = await connected();
    await bus.publish(eventsOf(1, 3));
    const other = await connected();
    await other.publish([{ ...eventOf(99), subject: 'muster.v1.settings.changed' }]);
    const interrupted: PublishInterrupted = await bus.publish(eventsOf(4, 9)).catch((error) => error);
    expect(interrupted).toMatchObject({ name: 'MusterError', code: 'UNAVAILABLE', acknowledged: 0 });
    await bus.publish(eventsOf(4, 9));
    expect(idsOf(await readAll(bus, 10))).toEqual([...idsOf(eventsOf(1, 3)), 'event-99', ...idsOf(eventsOf(4, 9))]);
  });

  test('adds nothing after an event that was refused', async () => {
    const bus = await connected();
    const events = [...eventsOf(1, 5), eventOf(6, 'x'.repeat(70_000)), ...eventsOf(7, 9)];
    const interrupted: PublishInterrupted = await bus.publish(events).catch((error) => error);
    expect(interrupted.acknowledged).toBe(5);
    expect(interrupted.message).toContain('event-6 has 7');
    expect((await bus.stream.inspect()).lastSequence).toBe(5);
  });

  test('refuses a subject that free text has got into', async () => {
    const bus = await connected();
    for (const token of ['', 'a.b c', 'a>', '*', 'ü', 'x'.repeat(65)]) {
      const event = { ...eventOf(1), subject: `muster.v1.activation.granted.${token}` };
      await expect(bus.publish([event])).rejects.toThrow(/cannot have the subject/);
    }
  });

  test('starts without NATS, fails at once meanwhile, and publishes when it has come', async () => {
    await server.kill();
    const bus = open();
    await until(() => bus.health().problem?.includes('refused') === true, 'the first attempt');
    const started = performance.now();
    await expect(bus.publish(eventsOf(1, 3))).rejects.toMatchObject({ code: 'UNAVAILABLE', acknowledged: 0 });
    expect(performance.now() - started).toBeLessThan(1_000);
    expect(bus.health()).toMatchObject({ connected: false });
    await server.restart();
    await until(() => bus.connected, 'a connection');
    await bus.publish(eventsOf(1, 3));
    expect(bus.health()).toEqual({ connected: true, problem: undefined });
    expect(idsOf(await readAll(bus, 3))).toEqual(idsOf(eventsOf(1, 3)));
  });

  test('fails when NATS dies under a publication, and has every event in order after publishing again', async () => {
    const bus = await connected();
    await bus.publish(eventsOf(1, 1));
    const connection = bus.stream.connection;
    const published = bus.publish(eventsOf(2, 20_000)).catch((error) => error);
    await until(() => (bus.stream.lastPublished?.sequence ?? 0) > 1_000, 'a part of the events');
    const killed = performance.now();
    await server.kill();
    const interrupted: PublishInterrupted = await published;
    expect(performance.now() - killed).toBeLessThan(2_000);
    expect(interrupted.acknowledged).toBeGreaterThan(0);
    expect(interrupted.acknowledged).toBeLessThan(20_000);
    await server.restart();
    await until(() => bus.connected, 'a connection');
    expect(bus.stream.connection).toBeGreaterThan(connection);
    await bus.publish(eventsOf(2 + interrupted.acknowledged, 20_000));
    expect(idsOf(await readAll(bus, 20_000))).toEqual(idsOf(eventsOf(1, 20_000)));
    expect(statuses.map(({ message }) => message)).toContain('the connection to NATS is lost; connecting again');
  });

  test('fails within a bounded time while NATS stands still, and goes on when it runs', async () => {
    const bus = await connected();
    await bus.publish(eventsOf(1, 3));
    await server.pause();
    const started = performance.now();
    await expect(bus.publish(eventsOf(4, 9))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(performance.now() - started).toBeLessThan(8_000);
    server.continue();
    await until(async () => {
      const failed = await bus.publish(eventsOf(4, 12)).catch(() => true);
      return failed === undefined;
    }, 'a publication');
    expect(idsOf(await readAll(bus, 12))).toEqual(idsOf(eventsOf(1, 12)));
  });

  test('reads from a sequence, from a time and under a subject', async () => {
    const bus = await connected();
    await bus.publish(eventsOf(1, 5));
    const [, , third] = await readAll(bus, 5);
    await bus.publish([{ ...eventOf(6), subject: 'muster.v1.settings.changed' }, eventOf(7)]);
    const firstOf = async (options: Parameters<NatsBus['read']>[0]) => {
      for await (const { event } of bus.read(options)) return event.id;
      return undefined;
    };
    expect(await firstOf({ sequence: 4 })).toBe('event-4');
    expect(await firstOf({ sinceMs: Math.ceil(third?.storedMs ?? 0) + 60_000, signal: AbortSignal.timeout(500) })).toBe(
      undefined,
    );
    expect(await firstOf({ sinceMs: 0 })).toBe('event-1');
    expect(await firstOf({ subject: 'muster.v1.settings.>' })).toBe('event-6');
  });

  test('carries announcements of gateways beside the stream', async () => {
    const bus = await connected();
    const connection = await operator();
    const heard = connection.subscribe('muster.announce.v1.gateway.*', { max: 1 });
    await connection.flush();
    const announcement = {
      gatewayId: 'gateway-1',
      state: 'alive' as const,
      address: 'gateway-1.example.net',
      port: 1688,
      connections: 3,
      at: '2026-11-24T12:00:00.000Z',
    };
    expect(bus.announceGateway(announcement)).toBe(true);
    for await (const message of heard) {
      expect(message.subject).toBe('muster.announce.v1.gateway.gateway-1');
      expect(parseAnnouncement(message.data)).toEqual(announcement);
    }
    expect((await bus.stream.inspect()).lastSequence).toBe(0);
    expect(() => bus.announceGateway({ ...announcement, gatewayId: 'a.b' })).toThrow(/cannot announce itself/);
    await server.kill();
    await until(() => !bus.connected, 'the loss');
    expect(bus.announceGateway(announcement)).toBe(false);
  });

  test('sends a last announcement before it closes', async () => {
    const bus = await connected();
    const connection = await operator();
    const heard = connection.subscribe('muster.announce.v1.gateway.*', { max: 1 });
    await connection.flush();
    const goodbye = { gatewayId: 'g', state: 'goodbye' as const, address: 'a', port: 1, connections: 0, at: '' };
    bus.announceGateway(goodbye);
    await bus.close();
    for await (const message of heard) expect(parseAnnouncement(message.data)).toEqual(goodbye);
  });
});
