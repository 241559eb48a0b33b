import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { builtInCatalogues } from '@muster/product-groups';
import { publicKeyToJwk, signingKeyFromSeed } from '@muster/trust';
import { parse } from 'csv-parse/sync';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryDirectory } from './support/cleanup.ts';
import { dataDirectory } from './support/data-directory.ts';
import { cmidOf, range } from './support/machines.ts';
import { MusterUser, type ServeProcess } from './support/muster-process.ts';

const demoFleet = fileURLToPath(new URL('../demo/fleet.csv', import.meta.url));
const user = new MusterUser();
let site: ServeProcess;
let host: readonly string[];
let data: readonly string[];

beforeAll(async () => {
  site = await user.serve('--demo', '--data', await dataDirectory());
  host = ['--host', `127.0.0.1:${site.ready.activationPort}`];
  data = ['--data', site.ready.dataDirectory];
});

function fleetFile(...lines: readonly string[]): string {
  const file = join(temporaryDirectory(), 'fleet.csv');
  writeFileSync(file, `${lines.join('\n')}\n`);
  return file;
}

const fleetOf = (number: number, edition: string, name: string) =>
  range(1, number).map((each) => `${name}-${each},${edition},physical`);
const header = 'machine_name,edition,machine_class';
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

describe('muster fleet run', () => {
  test('gives one JSON document with a row for each machine, and ends with 0 when only the count refused', async () => {
    const file = fleetFile(header, ...fleetOf(4, 'vista-business', 'A'), ...fleetOf(3, 'server-2008-standard', 'B'));
    const { code, stdout, stderr } = await user.run(['fleet', 'run', file, ...host, '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const document = JSON.parse(stdout);
    expect(Object.keys(document)).toEqual(['results', 'summary']);
    expect(document.results).toHaveLength(7);
    for (const [index, row] of document.results.entries()) {
      const granted = index >= 4;
      expect(row).toEqual({
        machineName: granted ? `B-${index - 3}` : `A-${index + 1}`,
        application: 'windows',
        edition: granted ? 'server-2008-standard' : 'vista-business',
        machineClass: 'physical',
        cmid: expect.stringMatching(uuid),
        code: granted ? 'GRANTED' : 'COUNT_INSUFFICIENT',
        count: index + 1,
        threshold: granted ? 5 : 25,
        expiresAt: granted ? expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) : null,
        activationId: expect.stringMatching(uuid),
        message: null,
      });
    }
    const desktops = { rows: 4, granted: 0, refused: { COUNT_INSUFFICIENT: 4 }, count: 4 };
    const servers = { rows: 3, granted: 3, refused: {}, count: 7 };
    expect(document.summary).toEqual({
      rows: 7,
      granted: 3,
      refused: { COUNT_INSUFFICIENT: 4 },
      count: 7,
      byEdition: { 'vista-business': desktops, 'server-2008-standard': servers },
    });
  });

  test('keeps the rows in the order of the file with 8 requests at the same time, and can be repeated', async () => {
    const names = range(1, 60).map((number) => `C-${number}`);
    const file = fleetFile(header, ...fleetOf(60, 'vista-enterprise', 'C'));
    const run = () => user.run(['fleet', 'run', file, ...host, '--json', '--concurrency', '8']);
    const first = JSON.parse((await run()).stdout);
    expect(first.results.map(({ machineName }: { machineName: string }) => machineName)).toEqual(names);
    const second = JSON.parse((await run()).stdout);
    expect(second.summary).toMatchObject({ rows: 60, granted: 60, refused: {} });
    const cmids = (document: { results: { cmid: string }[] }) => document.results.map(({ cmid }) => cmid);
    expect(cmids(second)).toEqual(cmids(first));
  });

  test('takes the CMID and the application of a row, and reads standard input', async () => {
    const lines = [
      'cmid,machine_name,machine_class,edition,application',
      `${cmidOf(9_001)},NAMED,virtual,server-2008-standard,windows`,
      `${cmidOf(9_002)},,container,server-2008-standard,`,
    ];
    const { code, stdout } = await user.run(['fleet', 'run', '-', ...host, '--json'], lines.join('\r\n'));
    expect(code).toBe(0);
    const [named, nameless] = JSON.parse(stdout).results;
    expect(named).toMatchObject({
      cmid: cmidOf(9_001),
      machineName: 'NAMED',
      machineClass: 'virtual',
      code: 'GRANTED',
    });
    expect(nameless).toMatchObject({ cmid: cmidOf(9_002), machineName: '', application: 'windows', code: 'GRANTED' });
  });

  test('ends with 1 when a row has an edition that the host does not know, and asks for the others', async () => {
    const file = fleetFile(header, 'D-1,windows-98,physical', 'D-2,server-2008-standard,physical');
    const { code, stdout } = await user.run(['fleet', 'run', file, ...host, '--json']);
    expect(code).toBe(1);
    const { results } = JSON.parse(stdout);
    expect(results[0]).toMatchObject({ code: 'PRODUCT_NOT_COVERED', threshold: 0, expiresAt: null });
    expect(results[1]).toMatchObject({ code: 'GRANTED' });
  });

  test('ends with 2 on a broken file, with every problem at its line and nothing sent', async () => {
    const before = JSON.parse((await user.run(['status', '--json', ...data])).stdout).gateway.requests;
    const file = fleetFile(
      header.concat(',cmid'),
      'E-1,vista-business,physical,',
      'E-2,Vista Business,physical,',
      'E-3,vista-business,cloud,',
      'E-4,vista-business,physical,1234',
      ',vista-business,physical,',
    );
    const { code, stdout, stderr } = await user.run(['fleet', 'run', file, ...host, '--json']);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    for (const [line, what] of [
      [3, 'edition is "Vista Business"'],
      [4, 'machine_class is "cloud"'],
      [5, 'cmid is "1234"'],
      [6, 'a machine needs a machine_name or a cmid'],
    ]) {
      expect(stderr).toContain(`fleet.csv:${line}: ${what}`);
    }
    expect(stderr).not.toContain('fleet.csv:2:');
    const after = JSON.parse((await user.run(['status', '--json', ...data])).stdout).gateway.requests;
    expect(after).toBe(before);
  });

  test.each([
    {
      what: 'without a column',
      lines: ['machine_name,edition', 'F-1,vista-business'],
      says: /fleet\.csv:1: .*machine_class/,
    },
    {
      what: 'with a column of another kind',
      lines: [`${header},colour`, 'F-1,vista-business,physical,red'],
      says: /:1: .*colour/,
    },
    { what: 'without machines', lines: [header], says: /fleet\.csv:1: .*no machines/ },
    { what: 'with a row that is too short', lines: [header, 'F-1,vista-business'], says: /fleet\.csv:2: / },
    { what: 'with an open quote', lines: [header, 'F-1,"vista-business,physical'], says: /fleet\.csv:\d: / },
  ])('ends with 2 on a file $what', async ({ lines, says }) => {
    const { code, stdout, stderr } = await user.run(['fleet', 'run', fleetFile(...lines), ...host]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(says);
  });

  test('ends with 1 and a HOST_UNREACHABLE for each row where nobody listens', async () => {
    const file = fleetFile(header, ...fleetOf(3, 'vista-business', 'G'));
    const { code, stdout } = await user.run(['fleet', 'run', file, '--host', '127.0.0.1:1', '--json']);
    expect(code).toBe(1);
    const { results, summary } = JSON.parse(stdout);
    expect(results).toHaveLength(3);
    for (const row of results) {
      expect(row).toMatchObject({ code: 'HOST_UNREACHABLE', count: null, threshold: null, activationId: null });
      expect(row.message).toContain('127.0.0.1:1');
    }
    expect(summary).toMatchObject({ rows: 3, granted: 0, refused: { HOST_UNREACHABLE: 3 }, count: null });
  });

  test('ends with 1 and one line when no vendor is trusted, and works when one is named', async () => {
    const stranger = new MusterUser();
    const file = fleetFile(header, 'H-1,server-2008-standard,physical');
    const { code, stdout, stderr } = await stranger.run(['fleet', 'run', file, ...host, '--json']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error UNTRUSTED_HOST: .+ .*--vendor-key.*\n$/);
    const vendor = ['--vendor-key', site.ready.vendorKeyFile];
    expect(await stranger.run(['fleet', 'run', file, ...host, ...vendor, '--json'])).toMatchObject({ code: 0 });
  });

  test('ends with 1 and UNTRUSTED_HOST for each row when the host is of another vendor', async () => {
    const other = join(temporaryDirectory(), 'other-vendor.jwk');
    writeFileSync(other, publicKeyToJwk(signingKeyFromSeed(randomBytes(32)).publicKey));
    const file = fleetFile(header, 'H-1,server-2008-standard,physical');
    const { code, stdout } = await user.run(['fleet', 'run', file, ...host, '--vendor-key', other, '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout).results[0]).toMatchObject({ code: 'UNTRUSTED_HOST', count: null, activationId: null });
  });

  test('prints a table for people', async () => {
    const { code, stdout } = await user.run(['fleet', 'run', demoFleet, ...host]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/edition +machines +granted +refused +count seen/);
    expect(stdout).toMatch(/vista-business +\d+ +\d+ /);
  });
});

describe('muster status and muster machines', () => {
  test('status --json tells who runs, what counts and what the gateway did', async () => {
    const { code, stdout } = await user.run(['status', '--json', ...data]);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      hostId: site.ready.hostId,
      hostPlatform: site.ready.hostPlatform,
      processId: site.ready.processId,
      dataDirectory: site.ready.dataDirectory,
      activationAddress: `*:${site.ready.activationPort}`,
      startedAt: expect.stringMatching(/Z$/),
      catalogue: 'windows-2008 version 1',
      applications: [
        {
          application: 'windows',
          name: 'Windows',
          count: 50,
          machinesCounted: expect.any(Number),
          machinesKnown: expect.any(Number),
          machinesCloned: 0,
          thresholds: [
            {
              threshold: 5,
              reached: true,
              editions: expect.arrayContaining(['web-server-2008', 'server-2008-itanium']),
            },
            { threshold: 25, reached: true, editions: ['vista-business', 'vista-enterprise'] },
          ],
        },
      ],
      keys: [
        {
          application: 'windows',
          productGroup: 'server-group-c',
          key: 'KMS_C',
          vendor: 'demo-vendor',
          expiresAt: expect.stringMatching(/Z$/),
        },
      ],
      gateway: {
        connectionsOpen: 0,
        connectionsAccepted: expect.any(Number),
        requests: expect.any(Number),
        results: { GRANTED: expect.any(Number), COUNT_INSUFFICIENT: expect.any(Number), PRODUCT_NOT_COVERED: 1 },
        foreignProtocols: {},
        limits: {},
        credentialExpiresAt: expect.stringMatching(/Z$/),
      },
      outboxLag: expect.any(Number),
    });
  });

  test('status for people shows the count and what it reaches', async () => {
    const { code, stdout } = await user.run(['status', ...data]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/application +count +machines/);
    expect(stdout).toMatch(/windows +50 /);
  });

  test('machines list --json and --csv have every machine, ordered by CMID', async () => {
    const json = await user.run(['machines', 'list', '--json', ...data]);
    const csv = await user.run(['machines', 'list', '--csv', ...data]);
    expect([json.code, csv.code]).toEqual([0, 0]);
    const { machines } = JSON.parse(json.stdout);
    const cmids = machines.map(({ cmid }: { cmid: string }) => cmid);
    expect(cmids).toEqual([...cmids].sort());
    expect(machines.find(({ machineName }: { machineName: string }) => machineName === 'A-1')).toEqual({
      application: 'windows',
      cmid: expect.stringMatching(uuid),
      machineName: 'A-1',
      edition: 'vista-business',
      machineClass: 'physical',
      counted: true,
      lastCode: 'COUNT_INSUFFICIENT',
      requests: 1,
      firstRequestAt: expect.stringMatching(/Z$/),
      lastRequestAt: expect.stringMatching(/Z$/),
      clonedSince: null,
      identities: [],
    });
    expect(machines.find(({ machineName }: { machineName: string }) => machineName === 'NAMED')).toMatchObject({
      machineClass: 'virtual',
      counted: false,
    });
    const rows: readonly Record<string, string>[] = parse(csv.stdout, { columns: true });
    expect(Object.keys(rows[0] ?? {})).toEqual([
      ...['application', 'cmid', 'machineName', 'edition', 'machineClass', 'counted', 'lastCode', 'requests'],
      ...['firstRequestAt', 'lastRequestAt', 'clonedSince', 'clonedNames'],
    ]);
    expect(rows.map(({ cmid }) => cmid)).toEqual(cmids);
  });

  test('machines list --cloned has the cloned images with their names, and --application only its machines', async () => {
    const cmid = cmidOf(9_100);
    const file = fleetFile(
      `${header},cmid`,
      ...['ONE', 'TWO'].map((name) => `${name},vista-business,physical,${cmid}`),
    );
    await user.run(['fleet', 'run', file, ...host]);
    const { stdout } = await user.run(['machines', 'list', '--cloned', '--json', ...data]);
    const { machines } = JSON.parse(stdout);
    expect(machines).toHaveLength(1);
    expect(machines[0]).toMatchObject({ cmid, requests: 2, counted: true, clonedSince: expect.stringMatching(/Z$/) });
    const identities = machines[0].identities.map(({ machineName }: { machineName: string }) => machineName);
    expect(identities.sort()).toEqual(['ONE', 'TWO']);
    const office = await user.run(['machines', 'list', '--application', 'office', '--json', ...data]);
    expect(JSON.parse(office.stdout)).toEqual({ machines: [] });
  });

  test.each(['status', 'machines list'])('%s where no site runs says so and ends with 1', async (command) => {
    const elsewhere = temporaryDirectory();
    const { code, stdout, stderr } = await user.run([...command.split(' '), '--json', '--data', elsewhere]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^error NOT_RUNNING: .*${elsewhere}.*muster serve.*\\n$`));
  });
});

describe('muster catalogue', () => {
  test.each([...builtInCatalogues.keys()])('check finds nothing in the built-in catalogue %s', async (name) => {
    expect(await user.run(['catalogue', 'check', name])).toMatchObject({ code: 0, stderr: '' });
    const { code, stdout } = await user.run(['catalogue', 'check', name, '--json']);
    expect({ code, document: JSON.parse(stdout) }).toEqual({
      code: 0,
      document: { valid: true, catalogue: name, version: 1, problems: [] },
    });
  });

  test('check lists every problem of a broken one with file, line and column, and ends with 1', async () => {
    const file = join(temporaryDirectory(), 'mine.yaml');
    const text = (builtInCatalogues.get('windows-2008') ?? '')
      .replace('group: vista-vl', 'group: vista-v1')
      .replace('validityDays: 180', 'validityDays: 800');
    writeFileSync(file, text);
    const lineOf = (part: string) => text.split('\n').findIndex((line) => line.includes(part)) + 1;
    const { code, stdout, stderr } = await user.run(['catalogue', 'check', file]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(new RegExp(`^mine\\.yaml:${lineOf('validityDays: 800')}:19: `, 'm'));
    expect(stderr).toMatch(new RegExp(`^mine\\.yaml:${lineOf('vista-v1')}:16: .*vista-vl`, 'm'));
    expect(stderr.trim().split('\n')).toHaveLength(2);
    const json = await user.run(['catalogue', 'check', file, '--json']);
    expect(json.code).toBe(1);
    expect(JSON.parse(json.stdout)).toMatchObject({
      valid: false,
      problems: [
        { line: lineOf('validityDays: 800'), column: 19 },
        { line: lineOf('vista-v1'), column: 16 },
      ],
    });
  });

  test('show --json has the tables of DESIGN 2.1, and --yaml the text that can be checked and served', async () => {
    const { stdout } = await user.run(['catalogue', 'show', 'windows-2008', '--json']);
    const document = JSON.parse(stdout);
    expect(document).toMatchObject({ catalogue: 'windows-2008', version: 1 });
    const [application] = document.applications;
    expect(application).toMatchObject({ id: 'windows', countVirtualMachines: false, validityDays: 180 });
    const served = application.groups.map(({ key, serves }: { key: string; serves: string[] }) => [key, serves.length]);
    expect(served).toEqual([
      ['KMS', 2],
      ['KMS_A', 3],
      ['KMS_B', 5],
      ['KMS_C', 7],
    ]);
    const thresholds = application.editions.map(({ threshold }: { threshold: number }) => threshold);
    expect(thresholds).toEqual([25, 25, 5, 5, 5, 5, 5]);
    const yaml = await user.run(['catalogue', 'show', 'windows-2008', '--yaml']);
    expect(yaml.stdout).toBe(builtInCatalogues.get('windows-2008'));
    const people = await user.run(['catalogue', 'show', 'windows-2008']);
    expect(people.stdout).toMatch(/server-group-c +KMS_C +server-group-c +web-server-2008/);
  });

  test('of a name that nobody knows is an error with the names that are known', async () => {
    const { code, stderr } = await user.run(['catalogue', 'show', 'windows-2009']);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error CATALOGUE_NOT_FOUND: .*windows-2008/);
  });
});

test('the demonstration fleet has 30 machines', () => {
  expect(readFileSync(demoFleet, 'utf8').trim().split('\n')).toHaveLength(31);
});
