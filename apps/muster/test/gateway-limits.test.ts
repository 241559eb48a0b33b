import { AdvisedError } from '@muster/client';
import { defaultLimits, type LimitName } from '@muster/protocol-gateway';
import { encodePing, FrameType } from '@muster/wire-codec';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from './support/cleanup.ts';
import { newMachine, range } from './support/machines.ts';
import { frameOf, type RawConnection, requestOf } from './support/raw-connection.ts';
import { startTestSite, type TestSite } from './support/test-site.ts';

describe('the times that a gateway allows', () => {
  let site: TestSite;
  let other: RawConnection;

  beforeAll(async () => {
    site = await startTestSite();
  });

  const reached = (limit: LimitName) => site.site.gateway.statistics.limits.get(limit) ?? 0;

  /** Moves the clock, then lets the gateway look at it. */
  const pass = (durationMs: number) => {
    site.clock.advance(durationMs);
    site.site.gateway.sweep();
  };

  /** When another connection has its pong, everything that was sent before is read. */
  const everythingIsRead = async () => {
    other = await site.connectRaw();
    await other.send(FrameType.ping, encodePing(new Uint8Array()));
    await other.nextFrame();
    other.destroy();
  };

  test('10 seconds until the first byte', async () => {
    const before = reached('first-byte');
    const connection = await site.connectRaw();
    await everythingIsRead();
    pass(9_999);
    await everythingIsRead();
    expect(connection.ended).toBe(false);
    pass(1);
    await connection.untilClosed();
    expect(connection.bytesReceived).toBe(0);
    expect(reached('first-byte')).toBe(before + 1);
  });

  test('5 seconds for a frame, even if a byte comes every second', async () => {
    const before = reached('frame-time');
    const connection = await site.connectRaw();
    const frame = frameOf(requestOf(newMachine(), site.clock.nowMs()));
    for (const byte of frame.subarray(0, 5)) {
      await connection.write(Buffer.from([byte]));
      await everythingIsRead();
      expect(connection.ended).toBe(false);
      pass(1_000);
    }
    await connection.untilClosed();
    expect(connection.bytesReceived).toBe(0);
    expect(reached('frame-time')).toBe(before + 1);
  });

  test('5 seconds for each frame: a slow client whose frames arrive in time is served', async () => {
    const connection = await site.connectRaw();
    for (const _ of range(1, 3)) {
      const frame = frameOf(requestOf(newMachine(), site.clock.nowMs()));
      await connection.write(frame.subarray(0, 10));
      await everythingIsRead();
      pass(4_999);
      await connection.write(frame.subarray(10));
      await connection.nextReply();
      pass(4_999);
    }
    connection.destroy();
  });

  test('300 seconds of silence between two requests', async () => {
    const before = reached('idle');
    const connection = await site.connectRaw();
    for (const _ of range(1, 2)) {
      await connection.write(frameOf(requestOf(newMachine(), site.clock.nowMs())));
      await connection.nextReply();
      pass(299_999);
    }
    await everythingIsRead();
    expect(connection.ended).toBe(false);
    pass(1);
    await connection.untilClosed();
    expect(connection.failure).toBeUndefined();
    expect(reached('idle')).toBe(before + 1);
  });

  test('10 seconds for a peer to read on', async () => {
    const before = reached('write-stall');
    const connection = await site.connectRaw();
    connection.stopReading();
    // Each of these four bytes asks for an error reply of more than a hundred.
    connection.write(Buffer.alloc(4 * 100_000, Buffer.from([1, FrameType.makRequest, 0, 0]))).catch(() => undefined);
    await until(async () => {
      await everythingIsRead();
      pass(10_000);
      return reached('write-stall') > before;
    }, 'the gateway gives up on a peer that reads nothing');
    await until(() => site.site.gateway.connectionsOpen === 0, 'the connection is closed');
    expect(await site.ask(newMachine())).toMatchObject({ code: 'COUNT_INSUFFICIENT' });
  });
});

describe('the numbers that a gateway allows', () => {
  test('so many requests under way at once: the others are answered RATE_LIMITED with a time, and not counted', async () => {
    const site = await startTestSite({ limits: { inFlight: 8 } });
    const connections = await Promise.all(range(1, 4).map(() => site.connect()));
    const questions = range(1, 30).flatMap(() => connections.map((connection) => connection.activate(newMachine())));
    const outcomes = await Promise.allSettled(questions);
    const answered = outcomes.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
    const refused = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) {
      expect(error).toBeInstanceOf(AdvisedError);
      expect(error.code).toBe('RATE_LIMITED');
      expect(error.retryAfterMs).toBeGreaterThanOrEqual(1_000);
      expect(error.retryAfterMs).toBeLessThanOrEqual(30_000);
    }
    expect((await site.count()).machinesCounted).toBe(answered.length);
    // The connections are as good as before.
    for (const connection of connections)
      expect(await connection.activate(newMachine())).toMatchObject({ threshold: 25 });
    await site.site.stop();
  });

  test('so many connections of one address: the next is closed, and one is taken when another ends', async () => {
    const site = await startTestSite({ limits: { connectionsPerAddress: 3 } });
    const connections = await Promise.all(range(1, 3).map(() => site.connect()));
    for (const connection of connections) await connection.activate(newMachine());
    const tooMany = await site.connectRaw();
    await tooMany.untilClosed();
    expect(tooMany.bytesReceived).toBe(0);
    await expect(site.ask(newMachine())).rejects.toMatchObject({ code: 'HOST_UNREACHABLE' });
    expect(site.site.gateway.statistics.limits.get('connections-per-address')).toBe(2);
    connections[0]?.close();
    await until(() => site.site.gateway.connectionsOpen === 2, 'a connection has ended');
    expect(await site.ask(newMachine())).toMatchObject({ code: 'COUNT_INSUFFICIENT' });
    await site.site.stop();
  });

  test('so many connections in all', async () => {
    const site = await startTestSite({ limits: { connections: 2 } });
    const connections = await Promise.all(range(1, 2).map(() => site.connect()));
    for (const connection of connections) await connection.activate(newMachine());
    const tooMany = await site.connectRaw();
    await tooMany.untilClosed();
    expect(site.site.gateway.statistics.limits.get('connections')).toBe(1);
    connections[0]?.close();
    await until(() => site.site.gateway.connectionsOpen === 1, 'a connection has ended');
    expect(await site.ask(newMachine())).toMatchObject({ code: 'COUNT_INSUFFICIENT' });
    await site.site.stop();
  });

  test('1,000 connections of one address and 64 requests under way on each, unless told otherwise', () => {
    expect(defaultLimits).toMatchObject({ connectionsPerAddress: 1_000, inFlightPerConnection: 64, inFlight: 8_192 });
  });
});
