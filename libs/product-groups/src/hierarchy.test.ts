import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { builtInApplication, builtInText, parsed, smallCatalogueWith } from '../test/catalogues.ts';
import type { Application } from './catalogue.ts';
import { editionsServedBy, findGroupByKey, groupsServedBy, highestGroup, keyKinds, mayHost } from './hierarchy.ts';
import { applicationId, editionId, hostPlatformId, productGroupId } from './identifiers.ts';

const windows2008 = parsed(builtInText('windows-2008'));
const windows = builtInApplication('windows-2008', 'windows');

function groupOfKey(key: string) {
  const found = findGroupByKey(windows2008, key);
  if (found === undefined) throw new Error(`no group of ${key}`);
  return found.group;
}

// DESIGN 2.1, written out.
const editionsTable = [
  ['edition                 ', 'KMS', 'KMS_A', 'KMS_B', 'KMS_C'],
  ['vista-business          ', 'yes', 'yes  ', 'yes  ', 'yes  '],
  ['vista-enterprise        ', 'yes', 'yes  ', 'yes  ', 'yes  '],
  ['web-server-2008         ', 'no ', 'yes  ', 'yes  ', 'yes  '],
  ['server-2008-standard    ', 'no ', 'no   ', 'yes  ', 'yes  '],
  ['server-2008-enterprise  ', 'no ', 'no   ', 'yes  ', 'yes  '],
  ['server-2008-datacenter  ', 'no ', 'no   ', 'no   ', 'yes  '],
  ['server-2008-itanium     ', 'no ', 'no   ', 'no   ', 'yes  '],
];
const hostsTable = [
  ['host platform               ', 'KMS', 'KMS_A', 'KMS_B', 'KMS_C'],
  ['windows-vista               ', 'yes', 'no   ', 'no   ', 'no   '],
  ['kms-for-windows-server-2003 ', 'yes', 'yes  ', 'yes  ', 'yes  '],
  ['web-server-2008             ', 'no ', 'yes  ', 'yes  ', 'yes  '],
  ['server-2008-standard        ', 'no ', 'no   ', 'yes  ', 'yes  '],
  ['server-2008-enterprise      ', 'no ', 'no   ', 'yes  ', 'yes  '],
  ['server-2008-datacenter      ', 'no ', 'no   ', 'no   ', 'yes  '],
  ['server-2008-itanium         ', 'no ', 'no   ', 'no   ', 'yes  '],
];

/** The cells of a table as [key, name of the row, yes or no]. */
function cells(table: readonly (readonly string[])[]): [string, string, boolean][] {
  const [[, ...keys] = [], ...rows] = table;
  return rows.flatMap(([name = '', ...answers]) =>
    keys.map((key, index): [string, string, boolean] => [key, name.trim(), answers[index]?.trim() === 'yes']),
  );
}

describe('which key activates which edition of Windows', () => {
  it('has 4 keys and 7 editions', () => {
    expect(cells(editionsTable)).toHaveLength(4 * windows.editions.size);
  });
  it.each(cells(editionsTable))('%s for %s: %s', (key, edition, served) => {
    expect(editionsServedBy(windows, groupOfKey(key).id).includes(editionId(edition))).toBe(served);
  });
});

describe('which key may be hosted where', () => {
  it('has 4 keys and all host platforms', () => {
    expect(cells(hostsTable)).toHaveLength(4 * windows2008.hostPlatforms.size);
  });
  it.each(cells(hostsTable))('%s on %s: %s', (key, platform, allowed) => {
    expect(mayHost(windows, groupOfKey(key).id, hostPlatformId(platform))).toBe(allowed);
  });
  it('a platform or a group that nobody knows hosts nothing', () => {
    expect(mayHost(windows, groupOfKey('KMS').id, hostPlatformId('amiga'))).toBe(false);
    expect(mayHost(windows, productGroupId('nothing'), hostPlatformId('windows-vista'))).toBe(false);
  });
});

describe('the hierarchy of groups', () => {
  it('a key serves its own group first, then all below in the order of the catalogue', () => {
    expect(groupsServedBy(windows, productGroupId('server-group-c'))).toEqual([
      'server-group-c',
      'vista-vl',
      'server-group-a',
      'server-group-b',
    ]);
    expect(groupsServedBy(windows, productGroupId('vista-vl'))).toEqual(['vista-vl']);
  });

  it('what an included group includes is served, too', () => {
    const office = builtInApplication('acme-suite', 'office');
    expect(groupsServedBy(office, productGroupId('office-professional'))).toEqual([
      'office-professional',
      'office-viewers',
      'office-standard',
    ]);
    expect(editionsServedBy(office, productGroupId('office-standard'))).toEqual([
      'reader',
      'writer',
      'office-standard',
    ]);
  });

  it('a group may be reached in two ways, and stand before what it includes', () => {
    const text = smallCatalogueWith({
      17: '      high: {name: H, key: KEY_HIGH, hostPlatforms: [linux], includes: [middle, low]}',
      18: [
        '      middle: {name: M, key: KEY_MIDDLE, hostPlatforms: [linux], includes: [low]}',
        '      low: {name: L, key: KEY_LOW, hostPlatforms: [linux]}',
      ].join('\n'),
    });
    const app = parsed(text).applications.get(applicationId('app'));
    expect(app && groupsServedBy(app, productGroupId('high'))).toEqual(['high', 'middle', 'low']);
  });

  it('a group that the application does not have serves nothing', () => {
    expect(groupsServedBy(windows, productGroupId('nothing'))).toEqual([]);
    expect(editionsServedBy(windows, productGroupId('nothing'))).toEqual([]);
  });

  it('the highest group is the one that serves most editions, the first of equals', () => {
    expect(highestGroup(windows).id).toBe('server-group-c');
    expect(highestGroup(builtInApplication('acme-suite', 'office')).id).toBe('office-professional');
    const lowest = new Map([...windows.groups].map(([id, group]) => [id, { ...group, includes: [] }]));
    expect(highestGroup({ ...windows, groups: lowest }).id).toBe('vista-vl');
  });

  it('a kind of key leads to its group in any application', () => {
    const acme = parsed(builtInText('acme-suite'));
    expect(findGroupByKey(acme, 'ACME_DB_WORKGROUP')).toMatchObject({
      application: { id: 'database' },
      group: { id: 'database-workgroup' },
    });
    expect(findGroupByKey(acme, 'KMS')).toBeUndefined();
    expect(keyKinds(windows2008)).toEqual(['KMS', 'KMS_A', 'KMS_B', 'KMS_C']);
    expect(keyKinds(acme)).toHaveLength(6);
  });
});

describe('in any hierarchy without cycles', () => {
  /** Groups that include some of those before them, with one edition each. */
  const hierarchies = fc
    .array(fc.array(fc.nat(11), { maxLength: 4 }), { minLength: 1, maxLength: 12 })
    .map((lists): Application => {
      const ids = lists.map((_, index) => productGroupId(`g${index}`));
      const groups = ids.map((id, index) => {
        const below = new Set(lists[index]?.filter((other) => other < index));
        const includes = ids.filter((_, other) => below.has(other));
        return [id, { id, name: id, key: id.toUpperCase(), hostPlatforms: [], includes }] as const;
      });
      const editions = ids.map((group, index) => {
        const id = editionId(`e${index}`);
        return [id, { id, name: id, group, threshold: 1, initialGraceDays: 0 }] as const;
      });
      return { ...windows, groups: new Map(groups), editions: new Map(editions) };
    });

  it('a group serves itself, what it includes, and what they serve, and nothing else', () => {
    fc.assert(
      fc.property(hierarchies, (application) => {
        for (const { id, includes } of application.groups.values()) {
          const served = groupsServedBy(application, id);
          expect(served[0]).toBe(id);
          const expected = new Set([id, ...includes.flatMap((below) => groupsServedBy(application, below))]);
          expect(new Set(served)).toEqual(expected);
          expect(served).toHaveLength(expected.size);
        }
      }),
    );
  });

  it('an edition is served exactly by the groups that serve its own group', () => {
    fc.assert(
      fc.property(hierarchies, (application) => {
        for (const group of application.groups.keys()) {
          const groups = groupsServedBy(application, group);
          for (const edition of application.editions.values()) {
            expect(editionsServedBy(application, group).includes(edition.id)).toBe(groups.includes(edition.group));
          }
        }
      }),
    );
  });

  it('no two groups serve each other, and none serves more than the highest', () => {
    fc.assert(
      fc.property(hierarchies, (application) => {
        const highest = editionsServedBy(application, highestGroup(application).id).length;
        for (const one of application.groups.keys()) {
          expect(editionsServedBy(application, one).length).toBeLessThanOrEqual(highest);
          for (const other of groupsServedBy(application, one).slice(1)) {
            expect(groupsServedBy(application, other)).not.toContain(one);
          }
        }
      }),
    );
  });
});
