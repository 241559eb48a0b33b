import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { VendorAuthorityService as Definition, type VendorAuthority } from '@muster/contracts/vendor';
import { builtInCatalogues } from '@muster/product-groups';
import { serveGrpc } from '@muster/service-kit';
import { publicKeyFromJwk, vendorKeys, verifyMakConfirmation } from '@muster/trust';
import { type AuthorityPlaces, freeAddresses, startAuthority } from '@muster/vendor-authority/testing';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { installationsText } from '../src/mak-collection.ts';
import { atTheEnd, temporaryDirectory, until } from './support/cleanup.ts';
import { freePort } from './support/free-port.ts';
import { range } from './support/machines.ts';
import { issueMak, makFiles, newFingerprint, newInstallation } from './support/mak.ts';
import { type Finished, MusterUser } from './support/muster-process.ts';
import { openTestVendor, type TestVendor } from './support/vendor.ts';

const user = new MusterUser();
const windows = ['--application', 'windows', '--edition', 'vista-business'];

let vendor: TestVendor;
/** `host:port` of the authority. */
let authority: string;
/** Called for each batch before it is answered. */
let beforeAnswer: () => Promise<void> | void = () => undefined;
let directory: string;

beforeAll(async () => {
  vendor = await openTestVendor({ nowMs: Date.now() });
  const implementation: VendorAuthority = {
    activateHost: (request) => vendor.authority.activateHost(request),
    renewHost: (request) => vendor.authority.renewHost(request),
    confirmInstallation: (request) => vendor.authority.confirmInstallation(request),
    async confirmInstallations(request) {
      const answer = await vendor.authority.confirmInstallations(request);
      await beforeAnswer();
      return answer;
    },
  };
  authority = `127.0.0.1:${await freePort()}`;
  atTheEnd(await serveGrpc(authority, [{ definition: Definition, implementation }], { drainMs: 100 }));
});

beforeEach(() => {
  directory = temporaryDirectory();
  beforeAnswer = () => undefined;
});

const inDirectory = (name: string) => join(directory, name);
const linesOf = (file: string) => readFileSync(file, 'utf8').trimEnd().split('\n').slice(1);
const submitTo = (address: string, ...parameters: readonly string[]) =>
  user.run(['mak', 'submit', inDirectory('fleet.ndjson'), '--authority', address, '--authority-plain', ...parameters]);

function expectDone(finished: Finished): void {
  expect(finished).toMatchObject({ code: 0, stderr: '' });
}

/** Writes a collection of machines without asking them. */
function writeFleet(machines: number): void {
  const collectedAt = new Date().toISOString();
  const installations = range(1, machines).map((n) => ({ ...newInstallation(), machineName: `PC-${n}`, collectedAt }));
  writeFileSync(inDirectory('fleet.ndjson'), installationsText(installations));
}

describe('ten machines without a network', () => {
  test('are collected, submitted once and applied; each takes its own confirmation and no other', async () => {
    const mak = await issueMak(vendor.administration, 10);
    const { key, vendor: vendorKey } = makFiles(directory, mak.text, vendor.publicKeyJwk);
    const machines = range(1, 10).map((n) => ({ n, hardware: ['--fingerprint', newFingerprint()] }));
    // Five write their own line, and five are visited with the file.
    for (const { n, hardware } of machines.slice(0, 5)) {
      const output = inDirectory(`machine-${n}.ndjson`);
      expectDone(await user.run(['client', 'mak', 'request', ...windows, ...hardware, '--output', output]));
    }
    const fleet = ['--output', inDirectory('fleet.ndjson')];
    const written = range(1, 5).map((n) => inDirectory(`machine-${n}.ndjson`));
    expectDone(await user.run(['mak', 'collect', ...written, ...fleet]));
    for (const { hardware } of machines.slice(5)) {
      expectDone(await user.run(['mak', 'collect', '--machine', ...windows, ...hardware, ...fleet]));
    }
    const again = await user.run(['mak', 'collect', ...written, ...fleet, '--json']);
    expect(JSON.parse(again.stdout)).toMatchObject({ installations: 10, added: 0, known: 5, clones: 0 });

    const submitted = await submitTo(authority, ...key, ...vendorKey, '--batch', '4');
    expectDone(submitted);
    expect(submitted.stdout).toMatch(/^10 installations are confirmed now\..*\nThe MAK has 0 activations left\.\n$/);
    expect(await mak.used()).toBe(10);

    for (const { n, hardware } of machines) {
      const store = inDirectory(`store-${n}`);
      const applied = await user.run([
        ...['mak', 'apply', inDirectory(n % 2 === 0 ? 'fleet.ndjson' : 'fleet.ndjson.confirmed')],
        ...hardware,
        ...vendorKey,
        ...['--store', store],
      ]);
      expectDone(applied);
      const trusted = vendorKeys(publicKeyFromJwk(vendor.publicKeyJwk));
      const confirmed = await verifyMakConfirmation(readFileSync(store, 'utf8').trim(), trusted);
      expect(confirmed).toMatchObject({ application: 'windows', edition: 'vista-business', productGroup: 'vista-vl' });
      expect(statSync(store).mode & 0o777).toBe(0o600);
      if (n > 2) continue;
      const status = ['client', 'mak', 'status', '--store', store, ...vendorKey];
      expect(await user.run([...status, ...hardware])).toMatchObject({ code: 0 });
      const other = machines[n % 10]?.hardware ?? [];
      expect(await user.run([...status, ...other])).toMatchObject({
        code: 1,
        stdout: expect.stringContaining('HARDWARE_CHANGED'),
      });
    }
    const stranger = ['mak', 'apply', inDirectory('fleet.ndjson'), ...vendorKey, '--fingerprint', newFingerprint()];
    const id = ['--installation-id', JSON.parse(linesOf(inDirectory('fleet.ndjson'))[0] ?? '').installationId];
    for (const parameters of [stranger, [...stranger, ...id]]) {
      expect(await user.run(parameters)).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('HARDWARE_CHANGED'),
      });
    }
    // What was carried holds the key nowhere, and what is carried back names no machine.
    const carried = readdirSync(directory).filter((name) => !name.endsWith('.txt'));
    for (const name of carried) expect(readFileSync(inDirectory(name), 'utf8')).not.toContain(mak.text.slice(6, 29));
    expect(readFileSync(inDirectory('fleet.ndjson'), 'utf8')).toContain('machineName');
    expect(readFileSync(inDirectory('fleet.ndjson.confirmed'), 'utf8')).not.toContain('machineName');
  });

  test('leave their names at home when that is wanted', async () => {
    const output = inDirectory('fleet.ndjson');
    writeFleet(2);
    const own = inDirectory('own.ndjson');
    expectDone(await user.run(['client', 'mak', 'request', ...windows, '--no-name', '--output', own]));
    expect(readFileSync(own, 'utf8')).not.toContain('machineName');
    expectDone(await user.run(['client', 'mak', 'request', ...windows, '--output', own]));
    expectDone(await user.run(['mak', 'collect', own, '--no-names', '--output', output]));
    expect(linesOf(output)).toHaveLength(3);
    expect(readFileSync(output, 'utf8')).not.toMatch(/machineName|PC-1/);
  });
});

describe('muster mak submit', () => {
  test('shows what is refused in a table and as JSON, with exit code 1', async () => {
    writeFleet(3);
    const mak = await issueMak(vendor.administration, 1);
    const { key, vendor: vendorKey } = makFiles(directory, mak.text, vendor.publicKeyJwk);
    const shown = await submitTo(authority, ...key, ...vendorKey);
    expect(shown).toMatchObject({ code: 1, stderr: '' });
    expect(shown.stdout).toMatch(
      /2 are refused:\nmachine +edition +code +why\nPC-2 +vista-business +MAK_EXHAUSTED +The/,
    );
    const listed = await submitTo(authority, ...key, ...vendorKey, '--json');
    expect(listed.code).toBe(1);
    expect(JSON.parse(listed.stdout)).toMatchObject({
      ...{ before: 1, confirmed: 0, left: 0, remaining: 0 },
      refused: ['PC-2', 'PC-3'].map((machineName) => ({ machineName, code: 'MAK_EXHAUSTED' })),
    });
  });

  test('takes the key from standard input, and from no argument; a typing error is shown and nobody asked', async () => {
    writeFleet(1);
    const mak = await issueMak(vendor.administration, 1);
    const { vendor: vendorKey } = makFiles(directory, mak.text, vendor.publicKeyJwk);
    const submit = ['mak', 'submit', inDirectory('fleet.ndjson'), '--authority', authority, '--authority-plain'];
    const given = await user.run([...submit, ...vendorKey, mak.text]);
    expect(given).toMatchObject({ code: 2, stdout: '' });
    expect(given.stderr).not.toContain(mak.text.slice(0, 11));
    const other = mak.text.at(-1) === '7' ? '8' : '7';
    const mistyped = await user.run([...submit, ...vendorKey], mak.text.slice(0, -1) + other);
    expect(mistyped).toMatchObject({ code: 2, stderr: expect.stringMatching(/MAK_INVALID.*character 5 of block 5/) });
    const kms = await vendor.issue('vista-vl');
    const wrongKind = await user.run([...submit, ...vendorKey], kms.text);
    expect(wrongKind).toMatchObject({ code: 2, stderr: expect.stringMatching(/MAK_INVALID.*KMS key/) });
    expect(await mak.used()).toBe(0);
    expectDone(await user.run([...submit, ...vendorKey], `${mak.text.toLowerCase()}\n`));
    expect(await mak.used()).toBe(1);
  });

  test('that is killed after any batch is repeated, and nothing is lost or doubled', async () => {
    const machines = 12;
    writeFleet(machines);
    const mak = await issueMak(vendor.administration, machines);
    const { key, vendor: vendorKey } = makFiles(directory, mak.text, vendor.publicKeyJwk);
    const run = () => user.start(['mak', 'submit', inDirectory('fleet.ndjson'), ...link, ...key, ...vendorKey]);
    const link = ['--authority', authority, '--authority-plain', '--batch', '2'];
    let killed = 0;
    for (let kill = 1; kill <= 4; kill += 1) {
      const running = run();
      let calls = 0;
      beforeAnswer = () => {
        calls += 1;
        if (calls !== kill % 3 || running.hasEnded()) return;
        // The authority has committed the batch, and the answer never arrives.
        killed += 1;
        running.kill('SIGKILL');
      };
      await running.finished;
    }
    expect(killed).toBeGreaterThanOrEqual(2);
    beforeAnswer = () => undefined;
    expect(await run().finished).toMatchObject({ code: 0 });
    expect(await mak.used()).toBe(machines);
    const confirmations = linesOf(inDirectory('fleet.ndjson.confirmed')).map((line) => JSON.parse(line));
    expect(new Set(confirmations.map(({ installationId }) => installationId)).size).toBe(machines);
    expect(confirmations).toHaveLength(machines);
  });

  test('that is interrupted ends after its batch, says so, and goes on when it is repeated', async () => {
    writeFleet(6);
    const mak = await issueMak(vendor.administration, 6);
    const { key, vendor: vendorKey } = makFiles(directory, mak.text, vendor.publicKeyJwk);
    const link = ['--authority', authority, '--authority-plain', '--batch', '2', ...key, ...vendorKey];
    const running = user.start(['mak', 'submit', inDirectory('fleet.ndjson'), ...link]);
    beforeAnswer = () => running.kill('SIGINT');
    expect(await running.finished).toMatchObject({
      code: 130,
      stdout: expect.stringContaining('2 installations are confirmed now'),
      stderr: expect.stringContaining('4 were not asked for'),
    });
    beforeAnswer = () => undefined;
    expect((await submitTo(authority, ...key, ...vendorKey)).stdout).toContain(
      '4 installations are confirmed now, and 2 before',
    );
    expect(await mak.used()).toBe(6);
  });

  test('goes on when the authority that was killed under it is back', { timeout: 120_000 }, async () => {
    const machines = 600;
    writeFleet(machines);
    const places: AuthorityPlaces = {
      database: inDirectory('authority'),
      secretFile: inDirectory('secret'),
      addresses: await freeAddresses(3),
    };
    const [address = ''] = places.addresses;
    let running = await startAuthority(places);
    atTheEnd(() => running.kill());
    const { publicKeyJwk } = await running.administration.createVendor({ name: 'Example Vendor' });
    await running.administration.signCatalogue({ text: builtInCatalogues.get('windows-2008') ?? '' });
    const mak = await issueMak(running.administration, machines);
    const { key, vendor: vendorKey } = makFiles(directory, mak.text, publicKeyJwk);
    const confirmed = inDirectory('fleet.ndjson.confirmed');
    const kept = () => (readdirSync(directory).includes('fleet.ndjson.confirmed') ? linesOf(confirmed).length : 0);
    const submit = ['mak', 'submit', inDirectory('fleet.ndjson'), '--authority', address, '--authority-plain'];
    for (const batches of [1, 3]) {
      const before = kept();
      const broken = user.start([...submit, '--batch', '8', ...key, ...vendorKey]);
      await until(() => kept() >= before + 8 * batches, 'some batches are kept');
      await running.kill();
      expect(await broken.finished).toMatchObject({
        code: 1,
        stderr: expect.stringMatching(/of 600 confirmations are kept; .*\n.*UNAVAILABLE/),
      });
      running = await startAuthority(places);
    }
    expect(kept()).toBeLessThan(machines);
    expect(await user.run([...submit, ...key, ...vendorKey])).toMatchObject({ code: 0 });
    const lines = linesOf(confirmed).map((line) => JSON.parse(line));
    expect(new Set(lines.map(({ installationId }) => installationId)).size).toBe(machines);
    expect(new Set(lines.map(({ confirmation }) => confirmation)).size).toBe(machines);
    const { makActivationsUsed } = await running.administration.getKey({ keyId: mak.keyId });
    expect(makActivationsUsed).toBe(machines);
  });
});

test('files that are none are refused by their line, with exit code 2', async () => {
  writeFleet(1);
  const fleet = inDirectory('fleet.ndjson');
  const { vendor: vendorKey } = makFiles(directory, 'XXXXX', vendor.publicKeyJwk);
  const broken = inDirectory('broken.ndjson');
  writeFileSync(broken, `${readFileSync(fleet, 'utf8')}{"installationId":"12","application":"windows"}\n`);
  const output = ['--output', inDirectory('out.ndjson')];
  for (const [parameters, told] of [
    [['mak', 'collect', broken, ...output], /DOCUMENT_INVALID.*line 3: its installationId/],
    [['mak', 'collect', inDirectory('missing'), ...output], /INPUT_INVALID.*cannot be read/],
    [['mak', 'collect', ...output], /INPUT_INVALID: There is nothing to collect/],
    [['mak', 'collect', '--machine', ...output], /INPUT_INVALID.*--application and --edition/],
    [['mak', 'apply', fleet, ...vendorKey], /INPUT_INVALID.*fleet.ndjson.confirmed cannot be read/],
    [['mak', 'apply', join(directory, 'vendor.jwk'), ...vendorKey], /DOCUMENT_INVALID.*line 1/],
  ] as const) {
    expect(await user.run(parameters)).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(told) });
  }
  expect(readdirSync(directory)).not.toContain('out.ndjson');
});
