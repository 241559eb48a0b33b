import { connectNatsBus, type GatewayAnnouncement, gatewayAnnouncements, parseAnnouncement } from '@muster/events';
import { startNatsServer } from '@muster/events/testing';
import { ManualClock } from '@muster/service-kit';
import { connect } from '@nats-io/transport-node';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { announceEveryMs, GatewayAnnouncer } from './gateway-announcer.ts';

const noonMs = Date.parse('2026-11-24T12:00:00Z');
const gateway = { gatewayId: 'gateway-1', address: 'gateway.example.com', port: 1688 };

afterEach(() => {
  vi.useRealTimers();
});

describe('a gateway', () => {
  test('tells at once and then every five seconds that it lives, and once that it goes', () => {
    vi.useFakeTimers();
    const clock = new ManualClock(noonMs);
    const heard: GatewayAnnouncement[] = [];
    let connections = 0;
    const announcer = new GatewayAnnouncer({
      ...gateway,
      announce: (announcement) => heard.push(announcement),
      clock,
      connections: () => connections,
    });
    announcer.start();
    expect(heard).toEqual([{ ...gateway, state: 'alive', connections: 0, at: '2026-11-24T12:00:00.000Z' }]);
    connections = 7;
    for (let beat = 1; beat <= 3; beat += 1) {
      clock.advance(announceEveryMs);
      vi.advanceTimersByTime(announceEveryMs);
    }
    expect(heard).toHaveLength(4);
    expect(heard.at(-1)).toEqual({ ...gateway, state: 'alive', connections: 7, at: '2026-11-24T12:00:15.000Z' });
    announcer.stop();
    announcer.stop();
    vi.advanceTimersByTime(10 * announceEveryMs);
    expect(heard.map(({ state }) => state)).toEqual(['alive', 'alive', 'alive', 'alive', 'goodbye']);
  });

  test('that stops before it has started says nothing', () => {
    const heard: GatewayAnnouncement[] = [];
    const announce = (announcement: GatewayAnnouncement) => heard.push(announcement);
    new GatewayAnnouncer({ ...gateway, announce, clock: new ManualClock(noonMs), connections: () => 0 }).stop();
    expect(heard).toEqual([]);
  });

  test('is heard on the bus, its goodbye too although the connection closes behind it', async () => {
    const server = await startNatsServer();
    const listener = await connect({ servers: server.url });
    const bus = connectNatsBus({ servers: [server.url], name: 'gateway-1' });
    try {
      const heard: (string | undefined)[] = [];
      const messages = listener.subscribe(gatewayAnnouncements);
      await listener.flush();
      await expect.poll(() => bus.connected).toBe(true);
      const announcer = new GatewayAnnouncer({
        ...gateway,
        announce: (announcement) => bus.announceGateway(announcement),
        clock: new ManualClock(noonMs),
        connections: () => 0,
      });
      announcer.start();
      announcer.stop();
      await bus.close();
      for await (const message of messages) {
        const announcement = parseAnnouncement(message.data);
        expect(announcement).toMatchObject(gateway);
        heard.push(announcement?.state);
        if (heard.length === 2) break;
      }
      expect(heard).toEqual(['alive', 'goodbye']);
    } finally {
      await bus.close();
      await listener.close();
      await server.stop();
    }
  });
});
