import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect as tlsConnect } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import { roles } from '@muster/contracts/methods';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CertificateAuthority, type IssuedCertificate, roleUri } from '../testing/certificate-authority.ts';
import { issueFor, writeTlsFiles } from '../testing/certificates.ts';
import { connectToCounting, serveCounting, withoutRepetition } from '../testing/counting.ts';
import { temporaryDirectory } from '../testing/loopback.ts';
import { identityOf, showing, wrongCertificates } from '../testing/peers.ts';
import { ManualClock } from './clock.ts';
import { createLogger } from './logger.ts';
import { TlsIdentity } from './tls-identity.ts';

const authority = new CertificateAuthority('site');
const stranger = new CertificateAuthority('stranger');

describe('a client', () => {
  test.each(roles)(
    'that calls a counting takes no answer of a server of the role %s, unless it is one',
    async (role) => {
      const server = await serveCounting({ tls: identityOf(role, authority) });
      const gateway = identityOf('protocol-gateway', authority);
      const answer = connectToCounting(
        server.address,
        gateway.channelCredentials('counting'),
        withoutRepetition,
      ).getCounts({ rules: [] });
      if (role === 'counting') expect(await answer).toEqual({ counts: [] });
      else {
        await expect(answer).rejects.toMatchObject({
          code: 'UNAVAILABLE',
          message: `The service cannot be reached: the server's certificate names ${role}, and counting was called.`,
        });
      }
      expect(server.calls).toBe(role === 'counting' ? 1 : 0);
    },
  );

  /** A server that shows a certificate without a look of its own at it, and takes every caller. */
  function impostor({ certificate, key }: IssuedCertificate): TlsIdentity {
    const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(certificate) };
    const credentials = ServerCredentials.createSsl(Buffer.from(authority.certificate), [pair]);
    const parts: Pick<TlsIdentity, 'caller' | 'serverCredentials'> = {
      caller: () => 'protocol-gateway',
      serverCredentials: () => credentials,
    };
    return parts as TlsIdentity;
  }

  const { transport, names } = wrongCertificates(authority, stranger, 'counting');
  test.each(Object.entries({ ...transport, ...names }))(
    'takes no answer of a server with a certificate %s',
    async (_, issued) => {
      const server = await serveCounting({ tls: impostor(issued) });
      const gateway = identityOf('protocol-gateway', authority);
      await expect(
        connectToCounting(server.address, gateway.channelCredentials('counting'), withoutRepetition).getCounts({
          rules: [],
        }),
      ).rejects.toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringMatching(/^The service cannot be reached: /),
      });
      expect(server.calls).toBe(0);
    },
  );
});

describe('a certificate that ends while it is in use lets its owner call no longer', () => {
  const ended = {
    code: 'NOT_AUTHORISED',
    message:
      "The caller's certificate names no role of this site or has ended, and " +
      '/muster.counting.v1.Counting/GetCounts needs one.',
  };

  async function setUp() {
    const clock = new ManualClock(Date.now());
    const files = writeTlsFiles(temporaryDirectory(), issueFor(authority, 'counting'), [authority]);
    const tls = new TlsIdentity(files, 'counting', createLogger('test', 'silent'), clock);
    onTestFinished(() => tls.close());
    const notAfter = new Date(Date.now() + 3_600_000);
    return { clock, tls, shortLived: authority.issue({ uris: [roleUri('protocol-gateway')], notAfter }) };
  }

  test('on a connection that was opened before', async () => {
    const { clock, tls, shortLived } = await setUp();
    const server = await serveCounting({ tls });
    const counting = connectToCounting(server.address, showing(shortLived, authority));
    expect(await counting.getCounts({ rules: [] })).toEqual({ counts: [] });
    clock.advance(2 * 3_600_000);
    await expect(counting.getCounts({ rules: [] })).rejects.toMatchObject(ended);
    expect(server.calls).toBe(1);
  });

  test('on one that resumes an earlier TLS session, where TLS looks at no dates', async () => {
    const { clock, tls, shortLived } = await setUp();
    const server = await serveCounting({ tls });
    const first = await callByHand(server.address, shortLived);
    expect(first).toMatchObject({ status: '0', resumed: false });
    const second = await callByHand(server.address, shortLived, first.session);
    expect(second).toMatchObject({ status: '0', resumed: true });
    clock.advance(2 * 3_600_000);
    const third = await callByHand(server.address, shortLived, first.session);
    expect(third).toMatchObject({ status: '7', resumed: true });
    expect(server.calls).toBe(2);
  });
});

/** Calls GetCounts by HTTP/2 alone, on a new connection that may resume a session of TLS. */
async function callByHand(address: string, { certificate, key }: IssuedCertificate, session?: Buffer) {
  const [host = '', port] = address.split(':');
  const ca = authority.certificate;
  const options = { host, port: Number(port), ca, cert: certificate, key, ALPNProtocols: ['h2'] };
  const socket = tlsConnect({ ...options, session, checkServerIdentity: () => undefined });
  let next: Buffer | undefined;
  socket.on('session', (each) => {
    next = each;
  });
  const client = connectHttp2('https://muster', { createConnection: () => socket });
  onTestFinished(() => client.destroy());
  const stream = client.request({
    ':method': 'POST',
    ':path': '/muster.counting.v1.Counting/GetCounts',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  let status: unknown;
  for (const event of ['response', 'trailers']) {
    stream.on(event, (headers) => {
      status = headers['grpc-status'] ?? status;
    });
  }
  stream.end(Buffer.alloc(5)); // An empty message, not compressed.
  stream.resume();
  await once(stream, 'close');
  return { status, resumed: socket.isSessionReused(), session: next };
}
