import { credentials } from '@grpc/grpc-js';
import { ActivationConnection } from '@muster/client';
import { type LicensingPolicy, LicensingPolicyService } from '@muster/contracts/policy';
import { defaultLimits, ProtocolGateway } from '@muster/protocol-gateway';
import { connectTo, serveGrpc } from '@muster/service-kit';
import { pino } from 'pino';
import { expect, test } from 'vitest';
import { atTheEnd, until } from './support/cleanup.ts';
import { freePort } from './support/free-port.ts';
import { desktops, newMachine } from './support/machines.ts';
import { startTestSite } from './support/test-site.ts';

const hourMs = 60 * 60 * 1_000;

test('a gateway serves for the 24 hours of its credential while policy is away, warns from half of it, and recovers', async () => {
  const own = await startTestSite();
  const { site, clock, vendorKeys } = own;
  await own.askEach(desktops(25));
  const address = `127.0.0.1:${await freePort()}`;
  const serve = () =>
    serveGrpc(address, [{ definition: LicensingPolicyService, implementation: site.policy }], { drainMs: 0 });
  let endPolicy = await serve();
  const link = connectTo<LicensingPolicy>(LicensingPolicyService, address, credentials.createInsecure());
  atTheEnd(() => link.close());
  const warnings: string[] = [];
  const gateway = new ProtocolGateway({
    gatewayId: 'gateway-apart',
    policy: link.service,
    counting: site.counting,
    clock,
    logger: pino({ level: 'warn' }, { write: (line: string) => warnings.push(JSON.parse(line).msg) }),
    limits: { ...defaultLimits, drainQuietMs: 0 },
  });
  const port = await gateway.start('127.0.0.1', 0);
  atTheEnd(() => gateway.drain());
  await until(() => gateway.credentialExpiresAtMs > 0, 'the gateway has a credential');
  const startMs = clock.nowMs();
  const ask = async () => {
    const host = { host: '127.0.0.1', port, vendorKeys, nowMs: () => clock.nowMs() };
    const connection = await ActivationConnection.open(host);
    try {
      return await connection.activate(newMachine()).then(
        ({ code }) => code,
        ({ code }) => code,
      );
    } finally {
      connection.close();
    }
  };
  const isWarned = () => warnings.some((text) => text.includes('credential'));
  /** So long after the outage began. */
  const at = (hours: number) => {
    clock.advance(startMs + hours * hourMs - clock.nowMs());
    gateway.sweep();
  };
  expect(await ask()).toBe('GRANTED');

  await endPolicy();
  at(11);
  expect(await ask()).toBe('GRANTED');
  expect(isWarned()).toBe(false);
  at(13);
  await until(isWarned, 'the gateway warns that its credential was not renewed');
  expect(await ask()).toBe('GRANTED');
  at(25);
  expect(gateway.credentialExpiresAtMs).toBe(0);
  expect(await ask()).toBe('UNAVAILABLE');

  endPolicy = await serve();
  atTheEnd(() => endPolicy());
  await until(() => {
    clock.advance(1_000); // The next attempt is due by the clock.
    gateway.sweep();
    return gateway.credentialExpiresAtMs > 0;
  }, 'the gateway has a credential again');
  expect(gateway.credentialExpiresAtMs).toBeGreaterThan(clock.nowMs() + 23 * hourMs);
  expect(await ask()).toBe('GRANTED');
});
