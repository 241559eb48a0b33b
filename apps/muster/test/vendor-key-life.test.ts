import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  encodeActivationRequest,
  installationId,
  keyId,
  makeProductKey,
  parseProductKey,
  publicKeyFromJwk,
  vendorKeys,
  verifyCatalogue,
} from '@muster/trust';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryDirectory } from './support/cleanup.ts';
import { range } from './support/machines.ts';
import { startVendorProcess, type VendorProcess } from './support/vendor-process.ts';

const files = temporaryDirectory();
const fileOf = (name: string) => join(files, name);
/** Every product key that was issued here. */
const keys: string[] = [];

let vendor: VendorProcess;

beforeAll(async () => {
  vendor = await startVendorProcess();
});

/** Runs `muster vendor` to its end. */
const run = (parameters: readonly string[], input?: string) => vendor.muster(['vendor', ...parameters], input);

/** Runs it, and reads the JSON document that it prints. */
async function documentOf(parameters: readonly string[], input?: string) {
  const finished = await run([...parameters, '--json'], input);
  expect(finished, finished.stderr).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(finished.stdout);
}

const forContoso = ['--application', 'windows', '--customer', 'Contoso'];
const groupB = ['--kind', 'KMS', '--group', 'server-group-b', ...forContoso];

/** Issues a key, and takes it from the document. */
async function issue(parameters: readonly string[]): Promise<{ text: string; id: string; lastFive: string }> {
  const { productKey: text, id, lastFive } = await documentOf(['key', 'issue', ...parameters]);
  keys.push(text);
  return { text, id, lastFive };
}

/** What another host without a network sends its vendor. */
function requestOf(productKey: string): string {
  const { x = '' } = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
  return encodeActivationRequest({
    productKey: parseProductKey(productKey),
    hostId: randomUUID(),
    hostPublicKey: new Uint8Array(Buffer.from(x, 'base64url')),
    hostPlatform: 'server-2008-enterprise',
    requestedAtMs: Date.now(),
  });
}

/** A command that fails says one line, with the code and what to do. */
function refusal(code: string) {
  return expect.stringMatching(new RegExp(`^error ${code}: [^\\n]+\\.\\n$`));
}

describe('a vendor', () => {
  test('is made once, and shows its public key and the end of its audit trail', async () => {
    expect(await run(['show'])).toMatchObject({ code: 1, stdout: '', stderr: refusal('VENDOR_MISSING') });
    const keyFile = fileOf('vendor.jwk');
    const made = await documentOf(['create', 'Example Vendor', '--key-file', keyFile]);
    const publicKey = publicKeyFromJwk(readFileSync(keyFile, 'utf8').trim());
    expect(made).toMatchObject({
      name: 'Example Vendor',
      keyId: keyId(publicKey),
      auditHead: expect.stringMatching(/^1:[0-9a-f]{64}$/),
    });
    expect(publicKeyFromJwk(JSON.stringify(made.publicKey))).toEqual(publicKey);
    expect({ ...(await documentOf(['create', 'Example Vendor'])), keyFile }).toEqual(made);
    const shown = await run(['show']);
    expect(shown.stdout).toContain(made.auditHead);
    expect(shown.stdout).toMatch(/^Example Vendor, created \d{4}-\d\d-\d\d \d\d:\d\dZ\n/);
  });

  test('signs a catalogue, and shows for what keys may be issued', async () => {
    const broken = fileOf('broken.yaml');
    writeFileSync(broken, 'catalogue: Example');
    expect(await run(['catalogue', 'sign', broken])).toMatchObject({ code: 2, stderr: refusal('CATALOGUE_INVALID') });
    const output = fileOf('signed.jws');
    expect(await run(['catalogue', 'sign', 'windows-2008', '--output', output])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('windows-2008 version'),
    });
    const { text } = await verifyCatalogue(
      readFileSync(output, 'utf8').trim(),
      vendorKeys(publicKeyFromJwk(readFileSync(fileOf('vendor.jwk'), 'utf8').trim())),
    );
    expect(text).toContain('server-group-c');
    const shown = await documentOf(['catalogue', 'show']);
    expect(shown.productGroups).toContainEqual({
      application: 'windows',
      productGroup: 'server-group-c',
      key: 'KMS_C',
    });
    expect(shown.signedCatalogue).toBe(readFileSync(output, 'utf8').trim());
    expect((await run(['catalogue', 'show', '--output', '-'])).stdout.trim()).toBe(shown.signedCatalogue);
    expect((await run(['show', '--key-file', '-'])).stdout).toBe(readFileSync(fileOf('vendor.jwk'), 'utf8'));
    expect((await run(['catalogue', 'show'])).stdout).toMatch(/^windows +server-group-c +KMS_C$/m);
  });
});

describe('a KMS key', () => {
  test('activates six hosts by carried requests and not a seventh, is changed, and is revoked', async () => {
    const issued = await run(['key', 'issue', ...groupB]);
    expect(issued).toMatchObject({ code: 0, stdout: expect.stringMatching(/^K[0-9A-Z]{4}(-[0-9A-Z]{5}){4}\n$/) });
    const text = issued.stdout.trim();
    keys.push(text);
    const last = text.slice(-5);
    expect(issued.stderr).toContain(`The KMS key ${last} for Contoso is issued`);

    const requests = range(1, 7).map(() => requestOf(text));
    const [first = '', , , , , , seventh = ''] = requests;
    const file = fileOf('request.txt');
    writeFileSync(file, first);
    const output = fileOf('confirmation.txt');
    const confirmed = await run(['confirm', file, '--output', output]);
    expect(confirmed).toMatchObject({ code: 0, stdout: '' });
    expect(confirmed.stderr).toContain('activated for windows/server-group-b');
    // The same request again: the same answer, and nothing used.
    const again = await run(['confirm', '-'], first);
    expect(again.stdout).toBe(readFileSync(output, 'utf8'));
    expect(again.stderr).toContain('it has used 1 of 10 activations');
    for (const request of requests.slice(1, 6)) expect(await documentOf(['confirm', '-'], request)).toBeTruthy();
    expect(await run(['confirm', '-'], seventh)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: refusal('KEY_HOST_LIMIT'),
    });
    expect(await documentOf(['key', 'show', last])).toMatchObject({
      lastFive: last,
      state: 'active',
      hosts: { used: 6, limit: 6 },
      activationsPerHost: 10,
      certificateDays: 365,
      activatedHosts: range(1, 6).map(() => ({ hostPlatform: 'server-2008-enterprise', activations: 1 })),
    });

    const changed = await documentOf(['key', 'change', last.toLowerCase(), '--hosts', '7', '--expires', '2099-01-01']);
    expect(changed).toMatchObject({ hosts: { limit: 7 }, expiresAt: '2099-01-01T00:00:00.000Z' });
    expect(await documentOf(['confirm', '-'], seventh)).toMatchObject({ activations: { used: 1, limit: 10 } });

    const revoke = (confirm: string) => run(['key', 'revoke', changed.id, '--reason', 'lost', '--confirm', confirm]);
    expect(await revoke('00000')).toMatchObject({ code: 2, stderr: refusal('INPUT_INVALID') });
    expect(await documentOf(['key', 'show', changed.id])).toMatchObject({ state: 'active' });
    const revoked = await revoke(last);
    expect(revoked).toMatchObject({ code: 0, stderr: '' });
    expect(revoked.stdout).toMatch(/ {2}state +revoked at \d{4}-\d\d-\d\d \d\d:\d\dZ\n {2}because +lost\n/);
    expect(await run(['confirm', '-'], requestOf(text))).toMatchObject({ code: 1, stderr: refusal('KEY_REVOKED') });
  });

  test('is found by its id where two keys end alike', async () => {
    const [one, other] = [await issue(groupB), await issue(groupB)];
    await vendor.database.query({
      name: 'test.end_alike',
      text: `update authority.product_key set last_five = 'AAAAA' where key_id in ('${one.id}', '${other.id}')`,
    });
    expect(await run(['key', 'show', 'aaaaa'])).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(new RegExp(`2 keys end in AAAAA.*(${one.id}.*${other.id}|${other.id}.*${one.id})`)),
    });
    expect(await documentOf(['key', 'show', one.id.toUpperCase()])).toMatchObject({ id: one.id });
  });
});

describe('a MAK', () => {
  test('is written for its owner alone, and shows what it has confirmed', async () => {
    const output = fileOf('mak.txt');
    const makOf = (...more: readonly string[]) => [
      'key',
      'issue',
      '--kind',
      'MAK',
      '--group',
      'vista-vl',
      ...forContoso,
      ...more,
    ];
    const { productKey, lastFive, activations } = await documentOf(makOf('--activations', '50', '--output', output));
    expect({ productKey, activations }).toEqual({ activations: { used: 0, limit: 50 } });
    const text = readFileSync(output, 'utf8').trim();
    keys.push(text);
    expect(text.slice(-5)).toBe(lastFive);
    expect(statSync(output).mode & 0o777).toBe(0o600);

    const count = async () => (await documentOf(['key', 'list', '--kind', 'MAK'])).keys.length;
    // A file that may hold another key is not written over, and no key is issued for it.
    expect(await run(makOf('--activations', '50', '--output', output))).toMatchObject({
      code: 1,
      stderr: refusal('OUTPUT_UNWRITABLE'),
    });
    const refused = fileOf('refused.txt');
    expect(await run(makOf('--output', refused))).toMatchObject({ code: 2, stderr: refusal('SETTING_INVALID') });
    expect(() => statSync(refused)).toThrow('ENOENT');
    expect(await count()).toBe(1);
    expect(readFileSync(output, 'utf8').trim()).toBe(text);

    const installation = installationId(new Uint8Array(32).fill(7), 'windows', 'vista-business');
    await vendor.process.authority.confirmInstallation({
      productKey: text,
      application: 'windows',
      installation: { edition: 'vista-business', installationId: installation },
      remoteAddress: '',
    });
    expect(await documentOf(['key', 'show', lastFive])).toMatchObject({
      activations: { used: 1, limit: 50 },
      installations: [{ installationId: Buffer.from(installation).toString('base64url'), edition: 'vista-business' }],
    });
    expect((await run(['key', 'show', lastFive])).stdout).toContain('1/50 activations');
  });
});

describe('the commands of a vendor', () => {
  test('list keys in 100 columns, however long the names are', async () => {
    const customers = ['Contoso and all of its daughters '.repeat(6).trim(), '株式会社コントソ'.repeat(20), 'Fabrikam'];
    for (const customer of customers) {
      await issue(['--kind', 'KMS', '--group', 'server-group-c', '--application', 'windows', '--customer', customer]);
    }
    const { stdout } = await run(['key', 'list']);
    for (const line of stdout.split('\n')) {
      const width = [...line].reduce((sum, each) => sum + (/[\u3000-\u9fff]/.test(each) ? 2 : 1), 0);
      expect(width).toBeLessThanOrEqual(100);
    }
    expect(stdout).toMatch(
      /^[0-9A-Z]{5} +KMS +Contoso and all.*… +windows\/server-group-c +0\/6 +\d{4}-\d\d-\d\d +active$/m,
    );
    expect(stdout).toContain('株式会社');
    const [one] = (await documentOf(['key', 'list', '--customer', customers[0] ?? ''])).keys;
    expect(one).toMatchObject({ customer: customers[0], kind: 'KMS', hosts: { used: 0, limit: 6 } });
    expect((await documentOf(['key', 'list', '--customer', 'Nobody'])).keys).toEqual([]);
    const maks = await documentOf(['key', 'list', '--kind', 'MAK', '--application', 'windows']);
    expect(maks.keys).toMatchObject([{ kind: 'MAK', application: 'windows' }]);
    expect((await documentOf(['key', 'list', '--application', 'office'])).keys).toEqual([]);
    const shown = await run(['key', 'show', keys[0]?.slice(-5) ?? '']);
    for (const line of shown.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100);
  });

  test('say in one line what is wrong, and what to do', async () => {
    const { text, lastFive } = await issue(groupB);
    const request = requestOf(text);
    const slip = request.replace(/^(01 {2}.)./m, (line) => line.slice(0, -1) + (line.endsWith('Z') ? '9' : 'Z'));
    const foreign = requestOf(makeProductKey('KMS', new Uint8Array(14).fill(9)));
    const cases: readonly [readonly string[], string, number, string][] = [
      [['key', 'show', text], '', 2, 'INPUT_INVALID'],
      [['key', 'show', 'ZZZZZ'], '', 2, 'KEY_UNKNOWN'],
      [['key', 'show', randomUUID()], '', 2, 'KEY_UNKNOWN'],
      [['key', 'change', lastFive], '', 2, 'INPUT_INVALID'],
      [['key', 'change', lastFive, '--activations', '5'], '', 2, 'SETTING_INVALID'],
      [['key', 'change', lastFive, '--expires', '2020-01-01'], '', 2, 'SETTING_INVALID'],
      [['key', 'issue', '--kind', 'KMS', '--group', 'nothing', ...forContoso], '', 2, 'SETTING_INVALID'],
      [['key', 'issue', ...groupB, '--output', fileOf('no/such/place')], '', 1, 'OUTPUT_UNWRITABLE'],
      [['confirm', '-'], 'nothing', 2, 'DOCUMENT_INVALID'],
      [['confirm', '-'], slip, 2, 'DOCUMENT_INVALID'],
      [['confirm', '-'], foreign, 2, 'KEY_INVALID'],
      [['confirm', fileOf('missing.txt')], '', 2, 'INPUT_INVALID'],
      [['catalogue', 'sign', fileOf('missing.yaml')], '', 2, 'CATALOGUE_NOT_FOUND'],
    ];
    for (const [parameters, input, code, error] of cases) {
      expect(await run(parameters, input), parameters.join(' ')).toMatchObject({
        code,
        stdout: '',
        stderr: refusal(error),
      });
    }
    for (const parameters of [
      ['key', 'issue', '--kind', 'OEM', '--group', 'server-group-b', ...forContoso],
      ['key', 'issue', ...groupB, '--hosts', '0'],
      ['key', 'revoke', lastFive, '--reason', 'lost'],
    ]) {
      expect(await run(parameters)).toMatchObject({ code: 2, stdout: '' });
    }
  });

  test('need the certificate of an administrator', async () => {
    const show = ['vendor', 'show'];
    const at = ['--authority', vendor.address];
    expect(await vendor.run([...show, ...at])).toMatchObject({ code: 2, stderr: refusal('SETTING_INVALID') });
    expect(await vendor.run([...show, ...at, '--plain'])).toMatchObject({ code: 1, stderr: refusal('UNAVAILABLE') });
    expect(await vendor.run([...show, ...vendor.optionsOf('protocol-gateway')])).toMatchObject({
      code: 1,
      stderr: refusal('TLS_INVALID'),
    });
  });

  // The last one: it looks at what all before it have written.
  test('write a product key in the one place that it is for', async () => {
    expect(keys.length).toBeGreaterThan(5);
    const outputs = vendor.told.map(({ stdout }) => stdout).join('\n');
    const errors = `${vendor.told.map(({ stderr }) => stderr).join('\n')}\n${vendor.process.log()}`;
    const inFile = readFileSync(fileOf('mak.txt'), 'utf8').trim();
    for (const key of keys) {
      expect(outputs.split(key).length - 1).toBe(key === inFile ? 0 : 1);
      for (const form of [key, key.replaceAll('-', '')]) expect(errors).not.toContain(form);
      expect(outputs).not.toContain(key.replaceAll('-', ''));
    }
  });
});
