import { describe, expect, it } from 'vitest';
import { builtInApplication } from '../test/catalogues.ts';
import { isClone } from './clone.ts';
import { countCap, highestThreshold, isCounted, isGranted, raisesCount } from './counting.ts';
import { machineClasses } from './machine-class.ts';

const windows = builtInApplication('windows-2008', 'windows');
const database = builtInApplication('acme-suite', 'database');

describe('which machines raise the count', () => {
  it('only physical ones for Windows', () => {
    expect(machineClasses.filter((machineClass) => raisesCount(windows, machineClass))).toEqual(['physical']);
  });
  it('all where the catalogue counts virtual machines', () => {
    expect(machineClasses.filter((machineClass) => raisesCount(database, machineClass))).toEqual([...machineClasses]);
  });
});

describe('the cap of the count', () => {
  it('is twice the highest threshold: 50 for Windows', () => {
    expect([highestThreshold(windows), countCap(windows)]).toEqual([25, 50]);
    expect([highestThreshold(database), countCap(database)]).toEqual([5, 10]);
  });
});

describe('how long a machine stays in the count', () => {
  const retentionMs = 1000;
  it.each([
    [0, true],
    [999, true],
    [1000, false],
    [1001, false],
    [-5, true],
  ])('silent for %i of 1000 ms: counted is %s', (silentMs, counted) => {
    expect(isCounted({ lastRequestMs: 10_000, raisesCount: true }, retentionMs, 10_000 + silentMs)).toBe(counted);
    expect(isCounted({ lastRequestMs: 10_000, raisesCount: false }, retentionMs, 10_000 + silentMs)).toBe(false);
  });
});

describe('when the count suffices', () => {
  it.each([
    [24, false],
    [25, true],
    [26, true],
  ])('a count of %i for a threshold of 25: %s', (count, granted) => {
    expect(isGranted(count, 25)).toBe(granted);
  });
});

describe('a cloned image', () => {
  const known = { fingerprint: 'aa', machineName: 'desk-1' };
  it.each([
    ['the same machine', { fingerprint: 'aa', machineName: 'desk-1' }, false],
    ['another fingerprint', { fingerprint: 'bb', machineName: 'desk-1' }, true],
    ['another name', { fingerprint: 'aa', machineName: 'desk-2' }, true],
    ['a name withheld', { fingerprint: 'aa', machineName: '' }, false],
    ['a fingerprint unknown', { fingerprint: '', machineName: 'desk-1' }, false],
    ['everything withheld', { fingerprint: '', machineName: '' }, false],
    ['another fingerprint with a name withheld', { fingerprint: 'bb', machineName: '' }, true],
  ])('%s: %o is %s', (_what, seen, cloned) => {
    expect(isClone(known, seen)).toBe(cloned);
    expect(isClone(seen, known)).toBe(cloned);
  });
});
