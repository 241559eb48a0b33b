import { describe, expect, it } from 'vitest';
import { builtInApplication, builtInText, parsed } from '../test/catalogues.ts';
import { builtInCatalogues } from './built-in-catalogues.ts';

describe('the catalogue windows-2008', () => {
  const windows = builtInApplication('windows-2008', 'windows');

  it('has the times of DESIGN 2.3 and never counts virtual machines', () => {
    const { name: _name, groups: _groups, editions: _editions, ...rules } = windows;
    expect(rules).toEqual({
      id: 'windows',
      countVirtualMachines: false,
      validityDays: 180,
      renewalIntervalMinutes: 7 * 24 * 60,
      activationIntervalMinutes: 2 * 60,
      graceDays: 30,
      countRetentionDays: 30,
      clockSkewMinutes: 4 * 60,
    });
  });

  it('has the editions of DESIGN 2.1 with their own group, threshold and initial grace', () => {
    const rows = [...windows.editions.values()].map((e) => [e.id, e.name, e.group, e.threshold, e.initialGraceDays]);
    expect(rows).toEqual([
      ['vista-business', 'Vista Business', 'vista-vl', 25, 30],
      ['vista-enterprise', 'Vista Enterprise', 'vista-vl', 25, 30],
      ['web-server-2008', 'Web Server 2008', 'server-group-a', 5, 60],
      ['server-2008-standard', 'Server 2008 Standard', 'server-group-b', 5, 60],
      ['server-2008-enterprise', 'Server 2008 Enterprise', 'server-group-b', 5, 60],
      ['server-2008-datacenter', 'Server 2008 Datacenter', 'server-group-c', 5, 60],
      ['server-2008-itanium', 'Server 2008 for Itanium', 'server-group-c', 5, 60],
    ]);
  });

  it('has the groups of DESIGN 2.1 with what each includes', () => {
    const rows = [...windows.groups.values()].map((group) => [group.id, group.name, group.key, group.includes]);
    expect(rows).toEqual([
      ['vista-vl', 'Vista VL', 'KMS', []],
      ['server-group-a', 'Server Group A', 'KMS_A', ['vista-vl']],
      ['server-group-b', 'Server Group B', 'KMS_B', ['server-group-a', 'vista-vl']],
      ['server-group-c', 'Server Group C', 'KMS_C', ['server-group-b', 'server-group-a', 'vista-vl']],
    ]);
  });
});

describe('the catalogue acme-suite', () => {
  const acme = parsed(builtInText('acme-suite'));

  it('has two applications with rules of their own, one of which counts virtual machines', () => {
    const rows = [...acme.applications.values()].map((application) => [
      application.id,
      application.countVirtualMachines,
      [...application.editions.values()].map((edition) => edition.threshold),
    ]);
    expect(rows).toEqual([
      ['office', false, [10, 10, 10, 20]],
      ['database', true, [1, 3, 5, 5]],
    ]);
  });

  it('has nothing of Windows but a platform to be hosted on', () => {
    expect([...acme.hostPlatforms.keys()]).toEqual([
      'linux-server',
      'windows-server',
      'container',
      'database-appliance',
    ]);
  });
});

it('each built-in catalogue goes by its own id', () => {
  for (const [name, text] of builtInCatalogues) expect(parsed(text).id).toBe(name);
});
