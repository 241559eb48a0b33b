import { beforeAll, expect, test } from 'vitest';
import { until } from './support/cleanup.ts';
import { newMachine, range } from './support/machines.ts';
import { startTestSite, type TestSite } from './support/test-site.ts';

let site: TestSite;

beforeAll(async () => {
  site = await startTestSite();
});

const times = 100;
const strangers = [
  { name: 'HTTP', protocol: 'http', bytes: Buffer.from('GET / HTTP/1.1\r\nHost: kms.example\r\n\r\n') },
  {
    name: 'TLS',
    protocol: 'tls',
    bytes: Buffer.from('1603010075010000710303', 'hex'),
  },
  { name: 'SSH', protocol: 'ssh', bytes: Buffer.from('SSH-2.0-OpenSSH_9.6\r\n') },
  {
    name: 'a DCE/RPC bind',
    protocol: 'dce-rpc',
    bytes: Buffer.from('05000b03100000007800000002000000d016d01600000000', 'hex'),
  },
  { name: 'SMB', protocol: 'smb', bytes: Buffer.from('00000054ff534d4272000000001843c8', 'hex') },
  {
    name: 'PROXY version 1',
    protocol: 'proxy-protocol',
    bytes: Buffer.from('PROXY TCP4 192.0.2.1 192.0.2.2 9 1688\r\n'),
  },
  {
    name: 'PROXY version 2',
    protocol: 'proxy-protocol',
    bytes: Buffer.from('0d0a0d0a000d0a515549540a2111000cc0000201c6336402c0010698', 'hex'),
  },
  {
    name: 'the preface of gRPC',
    protocol: 'http',
    bytes: Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), Buffer.from('000000040000000000', 'hex')]),
  },
];

test.each(strangers)(
  '$name, a hundred times: known by its kind, closed, and nothing is said to it',
  async ({ protocol, bytes }) => {
    const { foreignProtocols } = site.site.gateway.statistics;
    const before = foreignProtocols.get(protocol) ?? 0;
    const connections = await Promise.all(range(1, times).map(() => site.connectRaw()));
    await Promise.all(connections.map((connection) => connection.write(bytes)));
    await until(() => connections.every(({ closed }) => closed), 'every connection is closed');
    expect(connections.filter(({ bytesReceived }) => bytesReceived > 0)).toEqual([]);
    expect((foreignProtocols.get(protocol) ?? 0) - before).toBe(times);
    await until(() => site.site.gateway.connectionsOpen === 0, 'nothing stays open');
    expect((await site.ask(newMachine())).code).toMatch(/^(GRANTED|COUNT_INSUFFICIENT)$/);
  },
);
