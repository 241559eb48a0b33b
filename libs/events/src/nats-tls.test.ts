import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CertificateAuthority, issueFor, writeTlsFiles } from '@muster/service-kit/testing';
import { expect, onTestFinished, test } from 'vitest';
import { eventsOf, until } from '../testing/events.ts';
import { startNatsServer } from '../testing/nats-server.ts';
import { connectNatsBus, type NatsBus } from './nats-bus.ts';

type Tls = NonNullable<Parameters<typeof connectNatsBus>[0]['tls']>;

test('a server with mutual TLS lets in who has a certificate of its authority, also one that came later', async () => {
  const root = mkdtempSync(join(tmpdir(), 'muster-nats-tls-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  const directory = (name: string) => {
    mkdirSync(join(root, name));
    return join(root, name);
  };
  const authority = new CertificateAuthority('a site');
  const stranger = new CertificateAuthority('another site');
  const files = writeTlsFiles(directory('server'), issueFor(authority, 'counting'), [authority]);
  const server = await startNatsServer({
    configuration: `
      tls {
        cert_file: ${JSON.stringify(files.certificateFile)}
        key_file: ${JSON.stringify(files.keyFile)}
        ca_file: ${JSON.stringify(files.caFile)}
        verify: true
      }`,
  });
  onTestFinished(() => server.stop());
  const open = (tls: Tls): NatsBus => {
    const bus = connectNatsBus({ servers: [server.url], name: 'test', tls });
    onTestFinished(() => bus.close());
    return bus;
  };

  const client = directory('client');
  const own = writeTlsFiles(client, issueFor(stranger, 'counting'), [authority]);
  const { certificateFile, keyFile, caFile: authorityFile } = own;
  const bus = open({ certificateFile, keyFile, authorityFile });
  const without = open({ authorityFile });
  const distrusting = open({
    authorityFile: writeTlsFiles(directory('other'), issueFor(stranger, 'counting'), [stranger]).caFile,
  });
  for (const refused of [bus, without, distrusting]) {
    await until(() => refused.health().problem?.startsWith('NATS cannot be reached') === true, 'the refusal');
    await expect(refused.publish(eventsOf(1, 1))).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  }

  writeTlsFiles(client, issueFor(authority, 'counting'), [authority]);
  await until(() => bus.connected, 'a connection');
  await bus.publish(eventsOf(1, 3));
  expect((await bus.stream.inspect()).lastSequence).toBe(3);
  expect(without.connected || distrusting.connected).toBe(false);
});
