import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VendorAuthorityService as Definition } from '@muster/contracts/vendor';
import { connectToAuthority } from '@muster/licensing-policy';
import { createLogger, ServerCertificate, serveGrpc } from '@muster/service-kit';
import { CertificateAuthority } from '@muster/service-kit/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { atTheEnd, temporaryDirectory } from './support/cleanup.ts';
import { freePort } from './support/free-port.ts';
import { newHost, openHostDatabase, openTestVendor, type TestHost, type TestVendor } from './support/vendor.ts';

const directory = temporaryDirectory();
const authorities = new CertificateAuthority("Example Vendor's authority");
const caFile = fileOf('ca.pem', authorities.certificate);

let vendor: TestVendor;
let database: Awaited<ReturnType<typeof openHostDatabase>>;

beforeAll(async () => {
  [vendor, database] = await Promise.all([openTestVendor(), openHostDatabase()]);
});

function fileOf(name: string, content: string): string {
  const path = join(directory, name);
  writeFileSync(path, content);
  return path;
}

/** Serves the vendor's authority by TLS, with a certificate for a host name. Returns its port. */
async function serve(hostName: string): Promise<number> {
  const { certificate, key } = authorities.issue({ dnsNames: [hostName] });
  const files = [fileOf(`${hostName}.pem`, certificate), fileOf(`${hostName}.key`, key)] as const;
  const tls = new ServerCertificate(...files, createLogger('test', 'silent'));
  atTheEnd(() => tls.close());
  const port = await freePort();
  const served = [{ definition: Definition, implementation: vendor.authority }];
  atTheEnd(await serveGrpc(`127.0.0.1:${port}`, served, { tls, drainMs: 1_000 }));
  return port;
}

/** A host that asks the authority over a link, with a KMS key of the vendor installed. */
async function hostWith(...[address]: Parameters<typeof connectToAuthority>): Promise<TestHost> {
  const link = connectToAuthority(address);
  atTheEnd(link.close);
  const host = await newHost(database, vendor, { platform: 'server-2008-enterprise', authority: link.authority });
  await host.keys.install((await vendor.issue('server-group-c', { hostLimit: 1 })).text);
  return host;
}

describe("the way to the vendor's authority", () => {
  test('by TLS activates and renews, and refusals keep their codes', async () => {
    const address = `localhost:${await serve('localhost')}`;
    const host = await hostWith({ address, caFile });
    expect((await host.keys.activate('')).use).toEqual({ used: 1, limit: 10 });
    const before = host.policy.state.keys[0]?.expiresAtMs ?? 0;
    vendor.clock.set(before - 1_000);
    await host.keeper.look();
    expect(host.policy.state.keys[0]?.expiresAtMs).toBeGreaterThan(before);
    const [key] = await host.keys.list();
    const issued = await vendor.issue('server-group-c', { activationsPerHost: 1 });
    const { id } = await host.keys.install(issued.text);
    await host.keys.activate(id);
    await expect(host.keys.activate(id, true)).rejects.toMatchObject({
      code: 'KEY_ACTIVATION_LIMIT',
      remedy: expect.stringMatching(/\.$/),
    });
    expect(key?.problem).toBeUndefined();
  });

  test('is refused to a server whose certificate is for another name or by another authority', async () => {
    const other = await hostWith({ address: `localhost:${await serve('authority.example.com')}`, caFile });
    await expect(other.keys.activate('')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('altnames'),
      remedy: expect.stringContaining('--offline'),
    });
    const stranger = fileOf('stranger.pem', new CertificateAuthority('stranger').certificate);
    const port = await serve('localhost');
    for (const address of [{ address: `localhost:${port}`, caFile: stranger }, { address: `localhost:${port}` }]) {
      const host = await hostWith(address);
      await expect(host.keys.activate('')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
      expect(host.groupsInForce()).toEqual([]);
    }
  });

  test('is told within seconds when nobody is there', async () => {
    const host = await hostWith({ address: `localhost:${await freePort()}`, caFile });
    await expect(host.keys.activate('')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('ECONNREFUSED'),
    });
  });

  test('without TLS is for this machine alone, and needs authorities that can be read', () => {
    const plain = (address: string) => () => connectToAuthority({ address, plain: true }).close();
    for (const address of ['127.0.0.1:7104', 'localhost:7104', '[::1]:7104']) expect(plain(address)).not.toThrow();
    for (const address of ['authority.example.com:7104', '10.0.0.1:7104', '127.0.0.1.example.com:7104']) {
      expect(plain(address)).toThrow(expect.objectContaining({ code: 'SETTING_INVALID' }));
    }
    for (const file of [
      join(directory, 'missing.pem'),
      fileOf('empty.pem', ''),
      fileOf('text.pem', 'no certificate'),
    ]) {
      expect(() => connectToAuthority({ address: 'localhost:7104', caFile: file })).toThrow(
        expect.objectContaining({ code: 'TLS_INVALID' }),
      );
    }
  });
});
