import { afterAll, describe, expect, test } from 'vitest';
import { startSite } from '../src/site.ts';
import { desktops, newMachine } from './support/machines.ts';
import { MusterUser } from './support/muster-process.ts';
import { dataDirectory, startTestSite } from './support/test-site.ts';

/** DESIGN 2.1: what each key activates. */
const editionsOfKeys = {
  KMS: { yes: ['vista-business', 'vista-enterprise'] },
  KMS_A: { yes: ['vista-business', 'vista-enterprise', 'web-server-2008'] },
  KMS_B: {
    yes: ['vista-business', 'vista-enterprise', 'web-server-2008', 'server-2008-standard', 'server-2008-enterprise'],
  },
  KMS_C: {
    yes: [
      'vista-business',
      'vista-enterprise',
      'web-server-2008',
      'server-2008-standard',
      'server-2008-enterprise',
      'server-2008-datacenter',
      'server-2008-itanium',
    ],
  },
} as const;

/** DESIGN 2.1: the thresholds of the editions. */
const editions = {
  'vista-business': 25,
  'vista-enterprise': 25,
  'web-server-2008': 5,
  'server-2008-standard': 5,
  'server-2008-enterprise': 5,
  'server-2008-datacenter': 5,
  'server-2008-itanium': 5,
} as const;

/** DESIGN 2.1: where each key may be hosted. */
const platformsOfKeys = {
  KMS: ['windows-vista', 'kms-for-windows-server-2003'],
  KMS_A: ['web-server-2008', 'kms-for-windows-server-2003'],
  KMS_B: ['web-server-2008', 'server-2008-standard', 'server-2008-enterprise', 'kms-for-windows-server-2003'],
  KMS_C: [
    'web-server-2008',
    'server-2008-standard',
    'server-2008-enterprise',
    'server-2008-datacenter',
    'server-2008-itanium',
    'kms-for-windows-server-2003',
  ],
} as const;

const platforms = [
  'windows-vista',
  'kms-for-windows-server-2003',
  'web-server-2008',
  'server-2008-standard',
  'server-2008-enterprise',
  'server-2008-datacenter',
  'server-2008-itanium',
] as const;

const keys = Object.keys(editionsOfKeys) as (keyof typeof editionsOfKeys)[];
const includes = (list: readonly string[], name: string) => list.includes(name);

describe.each(keys)('a host with a %s key', (key) => {
  const covered = editionsOfKeys[key].yes;

  test(`activates ${covered.join(', ')} and nothing else`, async () => {
    const site = await startTestSite({ demoKeys: [key] });
    await site.askEach(desktops(25));
    for (const [edition, threshold] of Object.entries(editions)) {
      const answer = await site.ask(newMachine({ edition, machineClass: 'virtual' }));
      const { code, threshold: told, validityMinutes } = answer;
      expect({ edition, code, told, validityMinutes }).toEqual(
        includes(covered, edition)
          ? { edition, code: 'GRANTED', told: threshold, validityMinutes: 180 * 24 * 60 }
          : { edition, code: 'PRODUCT_NOT_COVERED', told: 0, validityMinutes: 0 },
      );
    }
    // Who was refused for the edition is not among the machines.
    expect(await site.count()).toMatchObject({ count: 25, machinesKnown: 25 + covered.length });
    await site.site.stop();
  });
});

describe.each(keys)('a %s key', (key) => {
  const data = dataDirectory();
  afterAll(() => data);

  test.each(platforms)(
    `on %s is ${platformsOfKeys[key].length} times of ${platforms.length} in its place`,
    async (platform) => {
      const options = { dataDirectory: await data, activationPort: 0, demo: true, demoKeys: [key] };
      const started = startSite({ ...options, hostPlatform: platform });
      if (includes(platformsOfKeys[key], platform)) {
        const site = await started;
        expect(site.policy.host.platform).toBe(platform);
        await site.stop();
      } else {
        await expect(started).rejects.toMatchObject({
          code: 'KEY_WRONG_HOST_PLATFORM',
          message: expect.stringContaining(platform),
          remedy: expect.stringContaining(platformsOfKeys[key].join(', ')),
        });
      }
    },
  );
});
