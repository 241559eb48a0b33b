import { join } from 'node:path';
import { type Client, credentials, Client as GrpcClient, type ServiceDefinition, status } from '@grpc/grpc-js';
import { VendorAuthorityService } from '@muster/contracts/vendor';
import { expect, onTestFinished, test, vi } from 'vitest';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { exchangeFile } from '../testing/certificates.ts';
import { freeAddress, temporaryDirectory } from '../testing/loopback.ts';
import { addressOfPeer, type CallOrigin } from './call-origin.ts';
import { serveGrpc } from './grpc-server.ts';
import { createLogger } from './logger.ts';
import { ServerCertificate } from './server-certificate.ts';

const authority = new CertificateAuthority('public');
const logger = createLogger('test', 'silent');

function writeFiles(directory: string, by = authority): readonly [string, string] {
  const { certificate, key } = by.issue({ dnsNames: ['localhost'] });
  const files = [join(directory, 'certificate.pem'), join(directory, 'key.pem')] as const;
  exchangeFile(files[0], certificate);
  exchangeFile(files[1], key);
  return files;
}

function opened(directory: string): ServerCertificate {
  const server = new ServerCertificate(...writeFiles(directory), logger, 20);
  onTestFinished(() => server.close());
  return server;
}

/** Serves the vendor authority by what notes the origin of a call. */
async function serve(tls: ServerCertificate): Promise<{ readonly port: string; readonly origins: CallOrigin[] }> {
  const origins: CallOrigin[] = [];
  const definition: ServiceDefinition = VendorAuthorityService;
  const implementation = Object.fromEntries(
    Object.keys(definition).map((name) => [
      name,
      async (_request: unknown, origin: CallOrigin) => {
        origins.push(origin);
        return { results: [], remaining: 0 };
      },
    ]),
  );
  const address = await freeAddress();
  const drain = await serveGrpc(address, [{ definition, implementation }], { tls });
  onTestFinished(() => drain());
  return { port: address.split(':')[1] ?? '', origins };
}

function call(port: string, trusted: CertificateAuthority): Promise<status> {
  const ca = Buffer.from(trusted.certificate);
  const client: Client = new GrpcClient(`localhost:${port}`, credentials.createSsl(ca), {
    'grpc.use_local_subchannel_pool': 1,
  });
  const { path, requestSerialize, responseDeserialize } = VendorAuthorityService.confirmInstallations;
  const request = { productKey: '', application: '', installations: [] };
  return new Promise((resolve) => {
    const options = { deadline: Date.now() + 10_000 };
    client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, options, (error) => {
      client.close();
      resolve(error?.code ?? status.OK);
    });
  });
}

test('whoever trusts the certificate calls without one, and is known by address alone', async () => {
  const { port, origins } = await serve(opened(temporaryDirectory()));
  expect(await call(port, authority)).toBe(status.OK);
  expect(origins).toEqual([{ role: undefined, address: '127.0.0.1' }]);
  expect(await call(port, new CertificateAuthority('other'))).toBe(status.UNAVAILABLE);
});

test('files that are exchanged are used by the next connection, and wrong ones change nothing', async () => {
  const directory = temporaryDirectory();
  const tls = opened(directory);
  const { port } = await serve(tls);
  exchangeFile(join(directory, 'key.pem'), 'no key');
  await vi.waitFor(() => expect(tls.problem).toMatch(/cannot be used/), { timeout: 10_000 });
  expect(await call(port, authority)).toBe(status.OK);
  const next = new CertificateAuthority('next');
  writeFiles(directory, next);
  await vi.waitFor(async () => expect(await call(port, next)).toBe(status.OK), { timeout: 10_000 });
  expect(tls.problem).toBeUndefined();
});

test('a key of another certificate is refused at the start', () => {
  const [one, other] = [writeFiles(temporaryDirectory()), writeFiles(temporaryDirectory())];
  expect(() => new ServerCertificate(one[0], other[1], logger)).toThrow(
    expect.objectContaining({ code: 'TLS_INVALID', message: expect.stringContaining('not that of the certificate') }),
  );
});

test.each([
  ['127.0.0.1:50051', '127.0.0.1'],
  ['::ffff:10.1.2.3:50051', '10.1.2.3'],
  ['::1:50051', '::1'],
  ['2001:db8::7:50051', '2001:db8::7'],
  ['unknown', ''],
])('the address of the peer %s is %s', (peer, address) => {
  expect(addressOfPeer(peer)).toBe(address);
});
