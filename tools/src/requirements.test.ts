import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { allRequirements, findRequirements, type Places } from './requirements.ts';
import { MissingRequirementsError } from './requirements-missing.ts';

test('on a machine with nothing, everything is listed at once with how to get it', () => {
  const { found, missing } = findRequirements(allRequirements, emptyMachine());
  expect(found).toEqual({});
  expect(new MissingRequirementsError(missing).message).toBe(
    `This is needed and was not found:
  PostgreSQL 15 or newer (the server programs initdb and postgres): https://www.postgresql.org/download/
  nats-server 2.9 or newer: https://docs.nats.io/running-a-nats-service/introduction/installation
  libfaketime (libfaketime.so.1): https://github.com/wolfcw/libfaketime
On Debian and its relatives: apt-get install postgresql nats-server libfaketime`,
  );
});

test('only what is missing is listed, and why it could not be installed', () => {
  const machine = emptyMachine();
  install(machine, 'usr/sbin/nats-server', 'nats-server: v2.9.10');
  const { missing } = findRequirements(['nats', 'faketime'], machine);
  expect(new MissingRequirementsError(missing, 'E: no network').message).toBe(
    `This is needed and was not found:
  libfaketime (libfaketime.so.1): https://github.com/wolfcw/libfaketime
On Debian and its relatives: apt-get install libfaketime
Installing it here failed: E: no network`,
  );
});

test('programs are found on PATH and where Debian keeps them outside of it', () => {
  const machine = emptyMachine();
  const nats = install(machine, 'opt/bin/nats-server', 'nats-server: v2.12.3');
  install(machine, 'usr/lib/postgresql/15/bin/initdb', 'initdb (PostgreSQL) 15.20');
  const postgres = install(machine, 'usr/lib/postgresql/15/bin/postgres', 'postgres (PostgreSQL) 15.20');
  const faketime = install(machine, 'usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1', '');
  expect(findRequirements(allRequirements, machine)).toEqual({
    found: { postgresql: dirname(postgres), nats, faketime },
    missing: [],
  });
});

test('of several versions of PostgreSQL the newest is taken, whose programs are complete', () => {
  const machine = emptyMachine();
  for (const version of ['9.6', '15', '16']) {
    install(machine, `usr/lib/postgresql/${version}/bin/initdb`, `initdb (PostgreSQL) ${version}`);
    install(machine, `usr/lib/postgresql/${version}/bin/postgres`, `postgres (PostgreSQL) ${version}`);
  }
  install(machine, 'usr/lib/postgresql/17/bin/postgres', 'postgres (PostgreSQL) 17.1');
  install(machine, 'opt/bin/postgres', 'postgres (PostgreSQL) 15.99');
  install(machine, 'opt/bin/initdb', 'initdb (PostgreSQL) 15.99');
  expect(findRequirements(['postgresql'], machine).found).toEqual({
    postgresql: join(machine.root, 'usr/lib/postgresql/16/bin'),
  });
});

test('versions that are too old count as missing', () => {
  const machine = emptyMachine();
  install(machine, 'opt/bin/nats-server', 'nats-server: v2.8.4');
  install(machine, 'opt/bin/initdb', 'initdb (PostgreSQL) 14.9');
  install(machine, 'opt/bin/postgres', 'postgres (PostgreSQL) 14.9');
  const { found, missing } = findRequirements(['postgresql', 'nats'], machine);
  expect(found).toEqual({});
  expect(missing.map(({ debianPackage }) => debianPackage)).toEqual(['postgresql', 'nats-server']);
});

test('this machine has everything that the tests need', () => {
  expect(findRequirements(allRequirements).missing).toEqual([]);
});

/** A machine with nothing on it; `opt/bin` is on its PATH. */
function emptyMachine(): Places {
  const root = mkdtempSync(join(tmpdir(), 'muster-requirements-'));
  onTestFinished(() => rmSync(root, { recursive: true }));
  return { root, path: ['/nowhere', join(root, 'opt/bin')].join(delimiter) };
}

/** Puts a program on a machine that says its version. */
function install({ root }: Places, path: string, version: string): string {
  const file = join(root, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `#!/bin/sh\necho '${version}'\n`, { mode: 0o755 });
  return file;
}
