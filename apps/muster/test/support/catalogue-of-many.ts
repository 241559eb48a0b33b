import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './cleanup.ts';

/** The rules of the built-in application `windows` (DESIGN 2.1 and 2.3), with one group for all editions. */
const windows = {
  name: 'Windows',
  countVirtualMachines: false,
  validityDays: 180,
  renewalIntervalMinutes: 7 * 24 * 60,
  activationIntervalMinutes: 2 * 60,
  graceDays: 30,
  countRetentionDays: 30,
  clockSkewMinutes: 4 * 60,
};

const desktop = { name: 'Desktop', group: 'all', threshold: 25, initialGraceDays: 30 };
const server = { name: 'Server', group: 'all', threshold: 5, initialGraceDays: 60 };

/**
 * A catalogue file with the applications `windows-1`, `windows-2` and so on, each with the rules of the built-in
 * `windows`: one site then has many counts that start at 0.
 */
export function catalogueOfMany(applications: number): string {
  const entries = Array.from({ length: applications }, (_, index) => [
    `windows-${index + 1}`,
    {
      ...windows,
      groups: { all: { name: 'All', key: `KMS_${index + 1}`, hostPlatforms: ['any'] } },
      editions: {
        'vista-business': desktop,
        'vista-enterprise': desktop,
        'server-2008-standard': server,
        'server-2008-itanium': server,
      },
    },
  ]);
  const catalogue = {
    catalogue: 'many',
    version: 1,
    title: 'Many counts',
    hostPlatforms: { any: 'Any platform' },
    applications: Object.fromEntries(entries),
  };
  const file = join(temporaryDirectory(), 'many.json');
  writeFileSync(file, JSON.stringify(catalogue));
  return file;
}
