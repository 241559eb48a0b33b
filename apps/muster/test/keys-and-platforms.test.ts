import { openPostgresql } from '@muster/database';
import { startPostgresql } from '@muster/database/testing';
import { beforeAll, describe, expect, test } from 'vitest';
import { startSite } from '../src/site.ts';
import { atTheEnd, temporaryDirectory } from './support/cleanup.ts';
import { dataDirectory } from './support/data-directory.ts';
import { desktops, newMachine } from './support/machines.ts';
import { MusterUser } from './support/muster-process.ts';
import { startTestSite, type TestSite } from './support/test-site.ts';

/** DESIGN 2.1: the editions with their thresholds. */
const editions = {
  'vista-business': 25,
  'vista-enterprise': 25,
  'web-server-2008': 5,
  'server-2008-standard': 5,
  'server-2008-enterprise': 5,
  'server-2008-datacenter': 5,
  'server-2008-itanium': 5,
} as const;

/** DESIGN 2.1: which editions each key activates, and on which platforms it may be hosted. */
const keys = [
  {
    key: 'KMS',
    covers: ['vista-business', 'vista-enterprise'],
    platforms: ['windows-vista', 'kms-for-windows-server-2003'],
  },
  {
    key: 'KMS_A',
    covers: ['vista-business', 'vista-enterprise', 'web-server-2008'],
    platforms: ['web-server-2008', 'kms-for-windows-server-2003'],
  },
  {
    key: 'KMS_B',
    covers: ['vista-business', 'vista-enterprise', 'web-server-2008', 'server-2008-standard', 'server-2008-enterprise'],
    platforms: ['web-server-2008', 'server-2008-standard', 'server-2008-enterprise', 'kms-for-windows-server-2003'],
  },
  {
    key: 'KMS_C',
    covers: [
      'vista-business',
      'vista-enterprise',
      'web-server-2008',
      'server-2008-standard',
      'server-2008-enterprise',
      'server-2008-datacenter',
      'server-2008-itanium',
    ],
    platforms: [
      'web-server-2008',
      'server-2008-standard',
      'server-2008-enterprise',
      'server-2008-datacenter',
      'server-2008-itanium',
      'kms-for-windows-server-2003',
    ],
  },
];

const allPlatforms = [
  'windows-vista',
  'kms-for-windows-server-2003',
  'web-server-2008',
  'server-2008-standard',
  'server-2008-enterprise',
  'server-2008-datacenter',
  'server-2008-itanium',
];

const postgresql = startPostgresql();
atTheEnd(async () => (await postgresql).stop());

describe.each(keys)('a host with a $key key', ({ key, covers }) => {
  let site: TestSite;

  beforeAll(async () => {
    site = await startTestSite({ demoKeys: [key] });
    await site.askEach(desktops(25));
    return () => site.site.stop();
  });

  const covered = Object.entries(editions).filter(([edition]) => covers.includes(edition));
  const notCovered = Object.keys(editions).filter((edition) => !covers.includes(edition));

  test.each(covered)('activates %s from a count of %i on', async (edition, threshold) => {
    const answer = await site.ask(newMachine({ edition, machineClass: 'virtual' }));
    expect(answer).toMatchObject({ code: 'GRANTED', count: 25, threshold, edition });
  });

  test.each(notCovered)('refuses %s and knows no machine that asked for it', async (edition) => {
    const before = await site.count();
    const answer = await site.ask(newMachine({ edition }));
    expect(answer).toMatchObject({ code: 'PRODUCT_NOT_COVERED', count: 25, threshold: 0, edition });
    expect(await site.count()).toEqual(before);
  });
});

// On PostgreSQL, where a site starts in a moment: it is 28 times that one is started here.
describe.each(keys)('a $key key', ({ key, platforms }) => {
  const directory = temporaryDirectory();
  let databaseUrl: string;

  beforeAll(async () => {
    const server = await postgresql;
    const database = await openPostgresql({ url: server.url });
    await database.query({ name: 'acceptance.create_database', text: `create database ${key.toLowerCase()}` });
    await database.close();
    databaseUrl = new URL(key.toLowerCase(), server.url).href;
  });

  const start = (hostPlatform: string) =>
    startSite({
      dataDirectory: directory,
      databaseUrl,
      activationPort: 0,
      demo: true,
      demoKeys: [key],
      hostPlatform,
    });

  test.each(platforms)('may be hosted on %s', async (platform) => {
    const site = await start(platform);
    expect(site.policy.host.platform).toBe(platform);
    expect(site.policy.state.keys.map((installed) => installed.key)).toEqual([key]);
    await site.stop();
  });

  test.each(allPlatforms.filter((platform) => !platforms.includes(platform)))(
    'cannot be hosted on %s',
    async (platform) => {
      await expect(start(platform)).rejects.toMatchObject({
        code: 'KEY_WRONG_HOST_PLATFORM',
        message: expect.stringContaining(platform),
        remedy: `Host it on one of: ${platforms.join(', ')}.`,
      });
    },
  );
});

describe('muster serve', () => {
  const user = new MusterUser();
  let serve: readonly string[];

  beforeAll(async () => {
    serve = ['serve', '--json', '--data', await dataDirectory(), '--activation-port', '0', '--demo-key'];
  });

  test.each([
    ['KMS', 'server-2008-standard'],
    ['KMS_C', 'windows-vista'],
  ])('with a %s key on %s says in one line that it cannot be hosted there, and ends with 1', async (key, platform) => {
    const { code, stdout, stderr } = await user.run([...serve, key, '--host-platform', platform]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error KEY_WRONG_HOST_PLATFORM: .+\. .+\.\n$/);
    expect(stderr).toMatch(new RegExp(`A ${key} key \\(.+\\) cannot be hosted on ${platform}\\.`));
  });

  test('with a key that the catalogue does not have names the keys that it has, and ends with 1', async () => {
    const { code, stdout, stderr } = await user.run([...serve, 'KMS_D']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error KEY_INVALID: .*KMS_D\. .*KMS, KMS_A, KMS_B, KMS_C\.\n$/);
  });
});
