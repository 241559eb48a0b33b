import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { builtInCatalogues } from '@muster/product-groups';
import { beforeAll, expect, test } from 'vitest';
import { startSite } from '../src/site.ts';
import { temporaryDirectory } from './support/cleanup.ts';
import { dataDirectory } from './support/data-directory.ts';
import { type Finished, MusterUser } from './support/muster-process.ts';

const user = new MusterUser();
let data: string;

beforeAll(async () => {
  data = await dataDirectory();
});

/** A failure of `muster serve`: nothing on standard output, and one line that begins so. */
function expectOneLine({ code, stdout, stderr }: Finished, beginning: RegExp): void {
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/^error [A-Z_]+: .+\. .+\.\n$/);
  expect(stderr).toMatch(beginning);
}

/** Listens on a port of loopback, which fails when somebody else does. */
function listen(port: number): Promise<{ readonly port: number; close(): Promise<void> }> {
  return new Promise((resolve, reject) => {
    const server: Server = createServer();
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('the listener has no port');
      resolve({ port: address.port, close: () => new Promise((done) => server.close(() => done())) });
    });
  });
}

test('a second muster serve on a data directory says that it is locked, by whom, and leaves the first alone', async () => {
  const first = await user.serve('--demo', '--data', data);
  const second = await user.run(['serve', '--json', '--demo', '--data', data, '--activation-port', '0']);
  expectOneLine(second, new RegExp(`^error DATA_DIRECTORY_LOCKED: .*${data}.* process ${first.ready.processId}\\. `));
  const { code, stdout } = await user.run(['status', '--json', '--data', data]);
  expect({ code, processId: JSON.parse(stdout).processId }).toEqual({ code: 0, processId: first.ready.processId });
  expect(await first.stop()).toMatchObject({ code: 0 });
  // Whoever comes after the first is not kept out by what it left.
  const third = await user.serve('--data', data);
  expect(await third.stop()).toMatchObject({ code: 0, stderr: '' });
});

test('a busy port is named with its remedy', async () => {
  const busy = await listen(0);
  const parameters = ['--data', data, '--activation-address', '127.0.0.1'];
  const outcome = await user.run(['serve', '--json', '--demo', ...parameters, '--activation-port', String(busy.port)]);
  expectOneLine(outcome, new RegExp(`^error PORT_IN_USE: .*${busy.port}.*--activation-port`));
  await busy.close();
});

test('an address that is not of this machine is named', async () => {
  const parameters = ['--data', data, '--activation-port', '0', '--activation-address', '192.0.2.1'];
  expectOneLine(
    await user.run(['serve', '--json', '--demo', ...parameters]),
    /^error ADDRESS_UNUSABLE: .*192\.0\.2\.1/,
  );
});

test('a data directory that cannot be made is named', async () => {
  const file = join(temporaryDirectory(), 'file');
  writeFileSync(file, 'not a directory');
  const below = join(file, 'data');
  const outcome = await user.run(['serve', '--json', '--demo', '--data', below, '--activation-port', '0']);
  expectOneLine(outcome, new RegExp(`^error DATA_DIRECTORY_UNUSABLE: .*${below}`));
});

test('a broken catalogue is shown with file, line and column', async () => {
  const file = join(temporaryDirectory(), 'broken.yaml');
  const lines = (builtInCatalogues.get('windows-2008') ?? '').split('\n');
  const line = lines.findIndex((each) => each.includes('threshold: 25'));
  lines[line] = '        threshold: many';
  writeFileSync(file, lines.join('\n'));
  const parameters = ['--data', data, '--activation-port', '0', '--catalogue', file];
  const outcome = await user.run(['serve', '--json', '--demo', ...parameters]);
  expectOneLine(outcome, new RegExp(`^error CATALOGUE_INVALID: broken\\.yaml:${line + 1}:20: `));
});

test('a catalogue that is not there is named with those that are built in', async () => {
  const parameters = ['--data', data, '--activation-port', '0', '--catalogue', 'windows-2009'];
  const outcome = await user.run(['serve', '--json', '--demo', ...parameters]);
  expectOneLine(outcome, /^error CATALOGUE_NOT_FOUND: .*windows-2009.*windows-2008, acme-suite/);
});

test.each([
  { command: 'serve --deno', says: /unknown option '--deno'\n\(Did you mean --demo\?\)/ },
  { command: 'serve --activation-port 65536', says: /--activation-port.*65536.*0 to 65535/s },
  { command: 'serve --log-level loud', says: /--log-level.*loud/s },
  { command: 'sevre', says: /unknown command 'sevre'\n\(Did you mean serve\?\)/ },
  { command: 'fleet run fleet.csv', says: /--host/ },
  { command: 'fleet run fleet.csv --host here:0', says: /--host.*1 to 65535/s },
  { command: 'catalogue show', says: /missing required argument/ },
  { command: 'machines list --json --csv', says: /cannot be used with/ },
])('muster $command is wrong usage: it ends with 2 and says what is wrong', async ({ command, says }) => {
  const { code, stdout, stderr } = await user.run(command.split(' '));
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  expect(stderr).toMatch(says);
});

test('a start that fails leaves the port free and the data directory unlocked', async () => {
  const busy = await listen(0);
  const { port } = busy;
  const options = { dataDirectory: data, activationPort: port, activationAddress: '127.0.0.1', demo: true };
  await expect(startSite(options)).rejects.toMatchObject({ code: 'PORT_IN_USE' });
  await busy.close();
  await expect(startSite({ ...options, hostPlatform: 'windows-vista' })).rejects.toMatchObject({
    code: 'KEY_WRONG_HOST_PLATFORM',
  });

  // The last part to start, the socket for the other commands, cannot be made: the gateway listens already by then.
  mkdirSync(join(data, 'muster.sock', 'in-the-way'), { recursive: true });
  await expect(startSite(options)).rejects.toThrow();
  await (await listen(port)).close();

  rmSync(join(data, 'muster.sock'), { recursive: true });
  const site = await startSite(options);
  expect(site.activationPort).toBe(port);
  await site.stop();
  await (await listen(port)).close();
  expect(readdirSync(data)).not.toContain('muster.sock');
});
