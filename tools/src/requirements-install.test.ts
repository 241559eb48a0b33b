import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { canInstall, installPackages } from './requirements-install.ts';

describe('packages can be installed', () => {
  test('by root on Debian and its relatives', () => {
    expect(canInstall(machine('ID=debian\n'), 0)).toBe(true);
    expect(canInstall(machine('ID=linuxmint\nID_LIKE="ubuntu debian"\n'), 0)).toBe(true);
  });

  test('by nobody else and nowhere else', () => {
    expect(canInstall(machine('ID=debian\n'), 1000)).toBe(false);
    expect(canInstall(machine('ID=fedora\nID_LIKE="rhel"\n'), 0)).toBe(false);
    expect(canInstall(machine('ID=not-debian\n'), 0)).toBe(false);
  });
});

test('the package lists are left alone when they know every package', async () => {
  const apt = new FakeApt([0, 0]);
  expect(await apt.install('nats-server', 'libfaketime')).toBeUndefined();
  expect(apt.calls.map(([program, command]) => `${program} ${command}`)).toEqual(['apt-cache show', 'apt-get install']);
  expect(apt.calls[1]?.slice(-2)).toEqual(['nats-server', 'libfaketime']);
});

test('the package lists are brought up to date when they do not know a package', async () => {
  const apt = new FakeApt([100, 0, 0]);
  expect(await apt.install('nats-server')).toBeUndefined();
  expect(apt.calls.map(([, command]) => command)).toEqual(['show', 'update', 'install']);
});

test('what fails is tried once more with new lists, and then reported with its reason', async () => {
  const apt = new FakeApt([0, 100, 0, 100]);
  expect(await apt.install('nats-server')).toBe('E: reason of call 4');
  expect(apt.calls.map(([, command]) => command)).toEqual(['show', 'install', 'update', 'install']);
});

test('where the package lists cannot be fetched, that is the reason', async () => {
  const apt = new FakeApt([100, 100, 100]);
  expect(await apt.install('nats-server')).toBe('E: reason of call 2');
});

describe('the services of installed packages', () => {
  test('may not be started while they are installed', async () => {
    const apt = new FakeApt([0, 0]);
    await apt.install('nats-server');
    expect(apt.policies).toEqual(['#!/bin/sh\nexit 101\n', '#!/bin/sh\nexit 101\n']);
    expect(existsSync(apt.policyFile)).toBe(false);
  });

  test('are left to a policy that the machine has already', async () => {
    const apt = new FakeApt([0, 100, 0, 0]);
    const own = '#!/bin/sh\nexit 0\n';
    writeFileSync(apt.policyFile, own);
    await apt.install('nats-server');
    expect(apt.policies).toEqual([own, own, own, own]);
    expect(readFileSync(apt.policyFile, 'utf8')).toBe(own);
  });
});

/** The programs of apt on a machine of its own, which end with given codes and see what maintainer scripts see. */
class FakeApt {
  readonly calls: string[][] = [];
  readonly policies: string[] = [];
  readonly policyFile: string;
  readonly #root = machine('ID=debian\n');
  readonly #codes: number[];

  constructor(codes: readonly number[]) {
    this.#codes = [...codes];
    this.policyFile = join(this.#root, 'usr/sbin/policy-rc.d');
  }

  install(...packages: string[]): Promise<string | undefined> {
    return installPackages(packages, {
      root: this.#root,
      run: async (program, parameters) => {
        this.calls.push([program, ...parameters]);
        this.policies.push(readFileSync(this.policyFile, 'utf8'));
        return { code: this.#codes.shift() ?? null, output: `more\nE: reason of call ${this.calls.length}\n` };
      },
    });
  }
}

/** The root of a machine with apt. */
function machine(release: string): string {
  const root = mkdtempSync(join(tmpdir(), 'muster-requirements-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  for (const directory of ['etc', 'usr/bin', 'usr/sbin']) mkdirSync(join(root, directory), { recursive: true });
  writeFileSync(join(root, 'etc/os-release'), release);
  writeFileSync(join(root, 'usr/bin/apt-get'), '', { mode: 0o755 });
  return root;
}
