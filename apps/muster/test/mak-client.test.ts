import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { confirmMak } from '@muster/client';
import { builtInCatalogues } from '@muster/product-groups';
import { CertificateAuthority } from '@muster/service-kit/testing';
import { makeProductKey, publicKeyFromJwk, vendorKeys } from '@muster/trust';
import { encodeFrame, encodeMakRequest, FrameType } from '@muster/wire-codec';
import { beforeAll, describe, expect, test } from 'vitest';
import { atTheEnd, temporaryDirectory, until } from './support/cleanup.ts';
import { freePort } from './support/free-port.ts';
import { issueMak, makFiles, newFingerprint, newInstallation } from './support/mak.ts';
import { MusterUser } from './support/muster-process.ts';
import { startVendorProcess, type VendorProcess } from './support/vendor-process.ts';

const gatewayProgram = fileURLToPath(new URL('../../protocol-gateway/src/main.ts', import.meta.url));
const directory = temporaryDirectory();
const user = new MusterUser();

let vendor: VendorProcess;
let publicKeyJwk: string;
/** Where the gateway in front of the authority listens. */
let port: number;
let gatewayLog = '';

beforeAll(async () => {
  vendor = await startVendorProcess();
  ({ publicKeyJwk } = await vendor.process.administration.createVendor({ name: 'Example Vendor' }));
  await vendor.process.administration.signCatalogue({ text: builtInCatalogues.get('windows-2008') ?? '' });
  port = await startGateway();
}, 120_000);

/** A gateway as a process of its own in front of the authority, without policy and counting. Returns its port. */
async function startGateway(): Promise<number> {
  const options = vendor.optionsOf('protocol-gateway');
  const optionOf = (name: string) => options[options.indexOf(name) + 1] ?? '';
  const [own, management] = [await freePort(), await freePort()];
  const child = spawn(process.execPath, [gatewayProgram], {
    env: {
      PATH: process.env.PATH,
      MUSTER_TLS_CA_FILE: optionOf('--tls-ca'),
      MUSTER_TLS_CERTIFICATE_FILE: optionOf('--tls-certificate'),
      MUSTER_TLS_KEY_FILE: optionOf('--tls-key'),
      MUSTER_GATEWAY_POLICY: 'none',
      MUSTER_GATEWAY_AUTHORITY: vendor.address,
      MUSTER_GATEWAY_AUTHORITY_CA_FILE: optionOf('--tls-ca'),
      MUSTER_GATEWAY_ADDRESS: '127.0.0.1',
      MUSTER_GATEWAY_PORT: String(own),
      MUSTER_MANAGEMENT_LISTEN: `127.0.0.1:${management}`,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  child.stderr.setEncoding('utf8').on('data', (text) => {
    gatewayLog += text;
  });
  atTheEnd(async () => {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
  });
  const readyz = `http://127.0.0.1:${management}/readyz`;
  await until(
    () =>
      fetch(readyz).then(
        ({ ok }) => ok,
        () => false,
      ),
    'the gateway is ready',
  );
  return own;
}

const windows = ['--application', 'windows', '--edition', 'vista-business'];
const atGateway = () => ['--host', `127.0.0.1:${port}`];
const activate = (...parameters: readonly string[]) =>
  user.run(['client', 'mak', 'activate', ...windows, ...parameters]);

describe('muster client mak', () => {
  test('activates once, applies again without asking, and finds changed hardware', async () => {
    const mak = await issueMak(vendor.process.administration, 2);
    const { key, vendor: vendorKey } = makFiles(directory, mak.text, publicKeyJwk);
    const store = ['--store', join(directory, 'first.jwt')];
    const hardware = ['--fingerprint', newFingerprint()];
    expect(await user.run(['client', 'mak', 'status', ...store, ...vendorKey, ...hardware])).toMatchObject({
      ...{ code: 1, stdout: expect.stringContaining('not activated') },
    });
    const first = await activate(...atGateway(), ...key, ...vendorKey, ...store, ...hardware);
    expect(first).toMatchObject({
      ...{ code: 0, stderr: '' },
      stdout: expect.stringMatching(
        /^windows vista-business is active for good, by a MAK of vista-vl \(Example Vendor\)\./,
      ),
    });
    expect(statSync(join(directory, 'first.jwt')).mode & 0o777).toBe(0o600);
    // No gateway and no key are named: nobody is asked.
    const again = await activate(...vendorKey, ...store, ...hardware, '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ active: true, asked: false, productGroup: 'vista-vl' });
    expect(await mak.used()).toBe(1);

    // A reinstall has lost the file: the same hardware uses nothing.
    const kept = readFileSync(join(directory, 'first.jwt'), 'utf8');
    const reinstalled = ['--store', join(directory, 'again', 'second.jwt')];
    expect(await activate(...atGateway(), ...key, ...vendorKey, ...reinstalled, ...hardware)).toMatchObject({
      code: 0,
    });
    expect(readFileSync(join(directory, 'again', 'second.jwt'), 'utf8')).toBe(kept);
    expect(await mak.used()).toBe(1);

    const changed = ['--fingerprint', newFingerprint()];
    const refused = await activate(...atGateway(), ...key, ...vendorKey, ...store, ...changed);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('HARDWARE_CHANGED') });
    expect(await mak.used()).toBe(1);
    const anew = await activate(...atGateway(), ...key, ...vendorKey, ...store, ...changed, '--again');
    expect(anew).toMatchObject({ code: 0 });
    expect(await mak.used()).toBe(2);
    const status = await user.run(['client', 'mak', 'status', ...store, ...vendorKey, ...changed, '--json']);
    expect(JSON.parse(status.stdout)).toMatchObject({ active: true, activations: [{ edition: 'vista-business' }] });
  });

  test('keeps each edition in a file of its own, and shows them all', async () => {
    const own = new MusterUser();
    const vista = await issueMak(vendor.process.administration, 1);
    const server = await issueMak(vendor.process.administration, 1, 'server-group-b');
    const common = [...atGateway(), ...makFiles(directory, vista.text, publicKeyJwk).vendor];
    const hardware = ['--fingerprint', newFingerprint()];
    const activateBy = (edition: string, text: string) =>
      own.run(
        ['client', 'mak', 'activate', '--application', 'windows', '--edition', edition, ...common, ...hardware],
        text,
      );
    const both = [activateBy('vista-business', vista.text), activateBy('server-2008-standard', server.text)];
    expect((await Promise.all(both)).map(({ code }) => code)).toEqual([0, 0]);
    const status = await own.run(['client', 'mak', 'status', ...common.slice(2), ...hardware]);
    expect(status.code).toBe(0);
    expect(status.stdout.match(/active/g)).toHaveLength(2);
  });

  test('says by its code why an activation is refused, and keeps nothing', async () => {
    const { administration } = vendor.process;
    const [used, revoked] = [await issueMak(administration, 1), await issueMak(administration, 1)];
    await administration.revokeKey({ keyId: revoked.keyId, reason: 'It was published.' });
    const store = join(directory, 'refused.jwt');
    const { vendor: vendorKey } = makFiles(directory, used.text, publicKeyJwk);
    const ask = (text: string, ...more: readonly string[]) => {
      const parameters = [...atGateway(), ...vendorKey, '--store', store, '--fingerprint', newFingerprint(), ...more];
      return user.run(['client', 'mak', 'activate', ...windows, ...parameters], text);
    };
    expect(await ask(used.text, '--edition', 'server-2008-standard')).toMatchObject({
      ...{ code: 1, stderr: expect.stringContaining('MAK_WRONG_GROUP') },
    });
    expect(
      await activate(...atGateway(), ...vendorKey, ...makFiles(directory, used.text, publicKeyJwk).key),
    ).toMatchObject({ code: 0 });
    for (const [text, code] of [
      [used.text, 'MAK_EXHAUSTED'],
      [revoked.text, 'KEY_REVOKED'],
      [makeProductKey('MAK', new Uint8Array(14).fill(1)), 'MAK_INVALID'],
    ] as const) {
      expect(await ask(text)).toMatchObject({
        code: 1,
        stdout: '',
        stderr: expect.stringContaining(`error ${code}: `),
      });
    }
    expect(() => statSync(store)).toThrow('ENOENT');
    const given = await user.run(['client', 'mak', 'activate', ...windows, ...vendorKey, used.text]);
    expect(given).toMatchObject({ code: 2, stderr: expect.stringContaining('not given on the command line') });
    expect(given.stderr).not.toContain(used.text.slice(0, 11));
  });

  test('refuses a kept confirmation that was altered, and says when the file cannot be written', async () => {
    const mak = await issueMak(vendor.process.administration, 1);
    const { key, vendor: vendorKey } = makFiles(directory, mak.text, publicKeyJwk);
    const hardware = ['--fingerprint', newFingerprint()];
    const file = join(directory, 'altered.jwt');
    const all = [...atGateway(), ...key, ...vendorKey, ...hardware];
    expect(await activate(...all, '--store', file)).toMatchObject({ code: 0 });
    writeFileSync(file, readFileSync(file, 'utf8').replace('.', '.x'));
    const altered = { code: 1, stderr: expect.stringContaining('CONFIRMATION_INVALID') };
    expect(await activate(...all, '--store', file)).toMatchObject(altered);
    const unwritable = await activate(...all, '--again', '--store', join(file, 'is-no-directory.jwt'));
    expect(unwritable).toMatchObject({ code: 1, stderr: expect.stringContaining('OUTPUT_UNWRITABLE') });
    expect(await mak.used()).toBe(1);
  });

  test('asks by TLS where something in front of the gateway ends it, and believes no other certificate', async () => {
    const authorities = new CertificateAuthority('front');
    const { certificate: cert, key: privateKey } = authorities.issue({ dnsNames: ['localhost'] });
    const front = createTlsServer({ cert, key: privateKey }, (socket) => {
      const inner = connect({ host: '127.0.0.1', port });
      socket.on('error', () => inner.destroy());
      inner.on('error', () => socket.destroy());
      socket.pipe(inner).pipe(socket);
    }).listen(0, '127.0.0.1');
    await once(front, 'listening');
    atTheEnd(() => front.close());
    const { port: frontPort } = front.address() as { readonly port: number };
    const ca = join(directory, 'front-ca.pem');
    writeFileSync(ca, authorities.certificate);
    const mak = await issueMak(vendor.process.administration, 1);
    const { key, vendor: vendorKey } = makFiles(directory, mak.text, publicKeyJwk);
    const parameters = [...key, ...vendorKey, '--fingerprint', newFingerprint(), '--store', join(directory, 'tls.jwt')];
    const host = ['--host', `localhost:${frontPort}`];
    const untrusted = await activate(...parameters, ...host, '--tls');
    expect(untrusted).toMatchObject({ code: 1, stderr: expect.stringContaining('HOST_UNREACHABLE') });
    const otherName = await activate(...parameters, '--host', `127.0.0.1:${frontPort}`, '--tls-ca', ca);
    expect(otherName).toMatchObject({ code: 1, stderr: expect.stringContaining('HOST_UNREACHABLE') });
    expect(await mak.used()).toBe(0);
    expect(await activate(...parameters, ...host, '--tls-ca', ca)).toMatchObject({ code: 0, stderr: '' });
    expect(await mak.used()).toBe(1);
  });
});

test('200 machines at once use the 50 activations that are left, and no more', async () => {
  const mak = await issueMak(vendor.process.administration, 50);
  const trusted = vendorKeys(publicKeyFromJwk(publicKeyJwk));
  const productKey = mak.text.replaceAll('-', '');
  const machines = Array.from({ length: 200 }, () => newInstallation());
  const outcomes = await Promise.all(
    machines.map(async ({ installationId, application, edition }) => {
      const question = { productKey, application, edition, clientVersion: 'test/1' };
      const id = Buffer.from(installationId, 'hex');
      const gateway = { host: '127.0.0.1', port, vendorKeys: trusted, connectMs: 20_000, answerMs: 30_000 };
      return confirmMak(gateway, { ...question, installationId: id }).then(
        () => 'GRANTED',
        (error) => error.code,
      );
    }),
  );
  const count = (code: string) => outcomes.filter((outcome) => outcome === code).length;
  expect({ granted: count('GRANTED'), exhausted: count('MAK_EXHAUSTED') }).toEqual({ granted: 50, exhausted: 150 });
  expect(await mak.used()).toBe(50);
});

test('guesses are counted by the address of the client, and no log holds a key', async () => {
  const mak = await issueMak(vendor.process.administration, 1);
  const { vendor: vendorKey } = makFiles(directory, mak.text, publicKeyJwk);
  const guess = (n: number) => {
    const text = makeProductKey('MAK', new Uint8Array(14).fill(n));
    const parameters = [...atGateway(), ...vendorKey, '--fingerprint', newFingerprint()];
    return user.run(['client', 'mak', 'activate', ...windows, ...parameters, '--again'], text);
  };
  let last = await guess(1);
  for (let n = 2; n <= 12 && !last.stderr.includes('RATE_LIMITED'); n += 1) last = await guess(n);
  expect(last).toMatchObject({ code: 1, stderr: expect.stringMatching(/RATE_LIMITED: .*from this address/) });
  const wrong = makeProductKey('MAK', new Uint8Array(14).fill(1));
  for (const secret of [mak.text, mak.text.replaceAll('-', ''), wrong, wrong.replaceAll('-', '')]) {
    expect(gatewayLog + vendor.process.log()).not.toContain(secret);
  }
  // Another machine has not guessed, and asks through the same gateway.
  const { edition, application, installationId } = newInstallation();
  const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.2' });
  atTheEnd(() => socket.destroy());
  const request = encodeMakRequest({
    nonce: new Uint8Array(32).fill(2),
    productKey: mak.text.replaceAll('-', ''),
    ...{ application, edition, clientVersion: 'test/1' },
    installationId: Buffer.from(installationId, 'hex'),
  });
  socket.write(encodeFrame(FrameType.makRequest, request));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer[1]).toBe(FrameType.makReply);
  expect(await mak.used()).toBe(1);
});
