import { AdvisedError } from '@muster/client';
import { defaultLimits, type LimitName } from '@muster/protocol-gateway';
import { encodeFrame, encodePing, FrameType } from '@muster/wire-codec';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from './support/cleanup.ts';
import { newMachine, range } from './support/machines.ts';
import { frameOf, RawConnection, requestOf } from './support/raw-connection.ts';
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

  test('so many requests of one address: the next is answered RATE_LIMITED by its nonce, and not counted', async () => {
    const site = await startTestSite({ limits: { requestRatePerAddress: 2, ratesOnLoopback: true } });
    const { statistics } = site.site.gateway;
    const connection = await site.connectRaw();
    const requests = range(1, 13).map(() => requestOf(newMachine(), site.clock.nowMs()));
    await connection.write(Buffer.concat(requests.map(frameOf)));
    await until(() => connection.frames.length === 13, 'every request is answered');
    // Errors come at once, and before what has to be counted.
    const errors = await Promise.all([await connection.nextError(), connection.nextError(), connection.nextError()]);
    expect(errors.map(({ nonce }) => nonce)).toEqual(requests.slice(10).map(({ nonce }) => Buffer.from(nonce)));
    for (const error of errors) {
      expect(error.code).toBe('RATE_LIMITED');
      expect(error.retryAfterMs).toBeGreaterThanOrEqual(1_000);
      expect(error.retryAfterMs).toBeLessThanOrEqual(30_000);
    }
    expect(statistics.limits.get('request-rate')).toBe(3);
    expect((await site.count()).machinesCounted).toBe(10);
    // Another address has a rate of its own.
    const other = await RawConnection.open(site.site.activationPort, '127.0.0.2');
    await other.write(frameOf(requestOf(newMachine(), site.clock.nowMs())));
    await other.nextReply();
    site.clock.advance(500);
    expect((await site.ask(newMachine())).code).toBe('COUNT_INSUFFICIENT');
    await site.site.stop();
  });

  test('a flood above that is not read before the next sweep, and what comes meanwhile is not lost', async () => {
    const site = await startTestSite({ limits: { requestRatePerAddress: 2, ratesOnLoopback: true } });
    const { gateway } = site.site;
    const connection = await site.connectRaw();
    await connection.write(Buffer.concat(range(1, 40).map(() => frameOf(requestOf(newMachine(), site.clock.nowMs())))));
    // Ten are counted, ten get their advice at its own rate, and the one that finds none left still gets it.
    await until(() => connection.frames.length >= 21, 'the burst is answered');
    const other = await RawConnection.open(site.site.activationPort, '127.0.0.2');
    await other.write(frameOf(requestOf(newMachine(), site.clock.nowMs())));
    await other.nextReply();
    const before = connection.frames.length;
    expect(before).toBeLessThan(40);
    gateway.sweep();
    await until(() => connection.frames.length > before, 'it is read on');
    await until(() => {
      site.clock.advance(1_000);
      gateway.sweep();
      return connection.frames.length === 40;
    }, 'all of it is answered in time');
    await site.site.stop();
  });

  test('pings of one address are answered, as fast as its rate allows', async () => {
    const site = await startTestSite({ limits: { requestRatePerAddress: 2, ratesOnLoopback: true } });
    const connection = await site.connectRaw();
    await connection.write(
      Buffer.concat(range(1, 30).map(() => encodeFrame(FrameType.ping, encodePing(new Uint8Array())))),
    );
    await until(() => connection.frames.length >= 11, 'the burst is answered');
    await until(() => {
      site.clock.advance(1_000);
      site.site.gateway.sweep();
      return connection.frames.length === 30;
    }, 'all pings are answered in time');
    expect(connection.frames.every(({ type }) => type === FrameType.pong)).toBe(true);
    expect(site.site.gateway.statistics.limits.size).toBe(0);
    await site.site.stop();
  });

  test('rates do not hold for clients on the machine itself', async () => {
    const site = await startTestSite({ limits: { requestRatePerAddress: 1, connectionRatePerAddress: 1 } });
    const answers = await site.askEach(range(1, 30).map(() => newMachine()));
    expect(answers).toHaveLength(30);
    expect(site.site.gateway.statistics.limits.size).toBe(0);
    await site.site.stop();
  });

  test('1,000 connections of one address and 64 requests under way on each, unless told otherwise', () => {
    expect(defaultLimits).toMatchObject({ connectionsPerAddress: 1_000, inFlightPerConnection: 64, inFlight: 8_192 });
    expect(defaultLimits).toMatchObject({ connectionRatePerAddress: 200, requestRatePerAddress: 100 });
  });
});
