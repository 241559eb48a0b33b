import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PolicyAdministrationService } from '@muster/contracts/policy';
import { VendorAuthorityService as Definition, type VendorAuthority } from '@muster/contracts/vendor';
import { createPolicyAdministration } from '@muster/licensing-policy';
import { serveGrpc } from '@muster/service-kit';
import { makeProductKey } from '@muster/trust';
import { beforeAll, describe, expect, test } from 'vitest';
import { LocalSocket } from '../src/local-socket.ts';
import { atTheEnd, temporaryDirectory, until } from './support/cleanup.ts';
import { dataDirectory } from './support/data-directory.ts';
import { freePort } from './support/free-port.ts';
import { MusterUser, type ServeProcess } from './support/muster-process.ts';
import { newHost, openHostDatabase, openTestVendor, type TestVendor } from './support/vendor.ts';

const user = new MusterUser();
const files = temporaryDirectory();

let vendor: TestVendor;
let authority: string;
let directory: string;
let site: ServeProcess;
/** Whether the authority does everything and then keeps its answer. */
let withholdsAnswers = false;
let withheld = 0;

beforeAll(async () => {
  vendor = await openTestVendor({ nowMs: Date.now() });
  const implementation: VendorAuthority = {
    async activateHost(request) {
      const answer = await vendor.authority.activateHost(request);
      if (!withholdsAnswers) return answer;
      withheld += 1;
      return new Promise(() => undefined);
    },
    renewHost: (request) => vendor.authority.renewHost(request),
    confirmInstallation: (request) => vendor.authority.confirmInstallation(request),
    confirmInstallations: (request) => vendor.authority.confirmInstallations(request),
  };
  authority = `127.0.0.1:${await freePort()}`;
  atTheEnd(await serveGrpc(authority, [{ definition: Definition, implementation }], { drainMs: 100 }));
  directory = await dataDirectory();
  site = await serve();
  await LocalSocket.usePolicy(directory, async (host) => {
    await host.trustVendor({ publicKeyJwk: vendor.publicKeyJwk });
    await host.installCatalogue({ signedCatalogue: vendor.signedCatalogue });
    await host.setHostPlatform({ hostPlatform: 'server-2008-enterprise' });
  });
});

const serve = () => user.serve('--data', directory, '--authority', authority, '--authority-plain');
const muster = (parameters: readonly string[], input?: string) =>
  user.run(['key', ...parameters, '--data', directory], input);

async function activationsUsed(keyId: Uint8Array): Promise<number> {
  let used = 0;
  for await (const host of vendor.administration.listHosts({ keyId })) used += host.activationsUsed;
  return used;
}

describe('muster key', () => {
  test('takes a key from standard input or a file, activates it, lists it and removes it', async () => {
    expect(await muster(['list'])).toMatchObject({ code: 0, stdout: expect.stringContaining('No KMS key') });
    const { text } = await vendor.issue('server-group-c');
    const last = text.slice(-5);
    expect(await muster(['install'], `${text.toLowerCase()}\n`)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(last),
    });
    const file = join(files, 'key.txt');
    writeFileSync(file, text);
    expect(await muster(['install', '--key-file', file])).toMatchObject({ code: 0 });
    const activated = await muster(['activate']);
    expect(activated).toMatchObject({ code: 0, stderr: '' });
    expect(activated.stdout).toMatch(
      /^KMS_C \(windows\/server-group-c\) is active until \d{4}.*\nThis host has used 1 of 10 /,
    );
    expect((await muster(['activate'])).stdout).toContain('It was active already');
    const listed = await muster(['list']);
    expect(listed.stdout).toMatch(
      new RegExp(`${last} +KMS_C +windows/server-group-c +active +\\d{4}-\\d\\d-\\d\\d +36[45]`),
    );
    for (const line of listed.stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(80);
    const { keys } = JSON.parse((await muster(['list', '--json'])).stdout);
    expect(keys).toMatchObject([{ lastFive: last, state: 'active', key: 'KMS_C', problem: null }]);
    for (const told of [activated, listed, JSON.stringify(keys)]) expect(JSON.stringify(told)).not.toContain(text);

    expect(await muster(['remove', last, '--confirm', 'ABCDE'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('INPUT_INVALID'),
    });
    expect(await muster(['remove', last])).toMatchObject({ code: 2 });
    expect(await muster(['remove', last, '--confirm', last])).toMatchObject({ code: 0 });
    expect((await muster(['list'])).stdout).toContain('No KMS key');
    const status = JSON.parse((await user.run(['status', '--json', '--data', directory])).stdout);
    expect(status.keys).toEqual([]);
  });

  test('carries a request and its confirmation in files, the request for its owner alone', async () => {
    const { text, key } = await vendor.issue('server-group-b');
    const last = text.slice(-5);
    await muster(['install'], text);
    const output = join(files, 'request.txt');
    const asked = await muster(['activate', '--offline', '--output', output]);
    expect(asked).toMatchObject({ code: 0, stderr: '', stdout: expect.stringContaining(output) });
    expect(asked.stdout).not.toContain(text);
    expect(statSync(output).mode & 0o777).toBe(0o600);
    const request = readFileSync(output, 'utf8');
    expect((await muster(['activate', last, '--offline', '--output', '-'])).stdout).toBe(request);
    expect((await muster(['list'])).stdout).toContain('awaits confirmation');
    const { confirmation } = await vendor.administration.confirmActivationRequest({ request });
    const letter = join(files, 'letter.txt');
    writeFileSync(letter, `Dear customer,\n${confirmation}\nYours`);
    const slip = confirmation.replace(/^(01 {2}.)./m, (line) => line.slice(0, -1) + (line.endsWith('Z') ? '9' : 'Z'));
    expect(await muster(['confirm', '-'], slip)).toMatchObject({ code: 2, stderr: expect.stringContaining('line 1') });
    expect(await muster(['confirm', letter])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('KMS_B (windows/server-group-b) is active'),
    });
    expect(await muster(['confirm', '-'], confirmation)).toMatchObject({ code: 0 });
    expect(await activationsUsed(key.keyId)).toBe(1);
    // Nothing half written lies beside the request.
    expect(readdirSync(files).filter((name) => name.startsWith('request'))).toEqual(['request.txt']);
    expect(await muster(['remove', last, '--confirm', last])).toMatchObject({ code: 0 });
  });

  test('says in one line what is wrong, and tells no key', async () => {
    const { text } = await vendor.issue('server-group-b');
    const wrong = `${text.slice(0, -1)}${text.endsWith('7') ? '8' : '7'}`;
    const mak = makeProductKey('MAK', new Uint8Array(14).fill(3));
    const cases: readonly [readonly string[], string, number, RegExp][] = [
      [['install'], wrong, 2, /KEY_INVALID.*typing error/],
      [['install'], mak, 2, /KEY_INVALID.*MAK/],
      [['install'], '', 2, /INPUT_INVALID/],
      [['install', '--key-file', join(files, 'none')], '', 2, /INPUT_INVALID.*none/],
      [['install', text], '', 2, /INPUT_INVALID.*--key-file/],
      [['activate', text], '', 2, /INPUT_INVALID/],
      [['confirm', '-'], 'x'.repeat(70_000), 2, /INPUT_INVALID.*64 KiB/],
      [['activate', '--offline', '--output', '/nowhere/x'], '', 2, /INPUT_INVALID/],
    ];
    for (const [parameters, input, code, message] of cases) {
      const finished = await muster(parameters, input);
      expect({ parameters, code: finished.code }).toEqual({ parameters, code });
      expect(finished.stderr).toMatch(message);
      for (const secret of [text, wrong, mak]) expect(finished.stdout + finished.stderr).not.toContain(secret);
    }
    await muster(['install'], text);
    expect(await muster(['activate', '--offline', '--output', join(files, 'no', 'where')])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('OUTPUT_UNWRITABLE'),
    });
    const last = text.slice(-5);
    await muster(['remove', last, '--confirm', last]);
    expect(await user.run(['key', 'list', '--data', files])).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error NOT_RUNNING: .*\n$/),
    });
  });
});

test('the keys of a licensing-policy that is a process of its own are managed over gRPC', async () => {
  const host = await newHost(await openHostDatabase(), vendor, { platform: 'server-2008-enterprise' });
  const implementation = createPolicyAdministration(host.policy, host.keys, vendor.clock);
  const policy = `127.0.0.1:${await freePort()}`;
  atTheEnd(await serveGrpc(policy, [{ definition: PolicyAdministrationService, implementation }], { drainMs: 100 }));
  const { text } = await vendor.issue('server-group-c');
  const there = (parameters: readonly string[], input?: string) =>
    user.run(['key', ...parameters, '--policy', policy, '--plain'], input);
  expect(await there(['install'], text)).toMatchObject({ code: 0, stderr: '' });
  expect(await there(['activate', '--json'])).toMatchObject({ code: 0 });
  expect(JSON.parse((await there(['list', '--json'])).stdout)).toMatchObject({ keys: [{ state: 'active' }] });
  expect(host.groupsInForce()).toEqual(['server-group-c']);
  expect(await user.run(['key', 'list', '--policy', policy])).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/^error SETTING_INVALID: .*--tls-certificate.*\n$/),
  });
});

test('a site that is killed between its question and the answer uses one activation', async () => {
  const { text, key } = await vendor.issue('server-group-c');
  const last = text.slice(-5);
  await muster(['install'], text);
  withholdsAnswers = true;
  const asking = muster(['activate', last]);
  await until(() => withheld > 0, 'the vendor has activated the host');
  await site.stop('SIGKILL');
  expect(await asking).toMatchObject({ code: 1, stderr: expect.stringMatching(/^error [A-Z_]+: .*\n$/) });
  expect(await activationsUsed(key.keyId)).toBe(1);
  withholdsAnswers = false;
  site = await serve();
  expect((await muster(['list'])).stdout).toContain('awaits answer');
  expect((await muster(['activate', last])).stdout).toContain('has used 1 of 10 activations');
  expect(await activationsUsed(key.keyId)).toBe(1);
});
