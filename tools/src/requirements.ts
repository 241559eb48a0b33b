import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { canInstall, installPackages } from './requirements-install.ts';
import { MissingRequirementsError } from './requirements-missing.ts';

/**
 * What the stack and the tests need beside npm's packages. The engines are always the real ones, so a test without them
 * does not pass: it installs them, or fails with the list of what is missing.
 */

/** Where programs and libraries are looked for. */
export interface Places {
  /** As the variable PATH. */
  readonly path: string;
  /** The root of the file system. */
  readonly root: string;
}

/** One thing that is needed. */
export interface Requirement {
  /** What it is, for people, with the version that is needed. */
  readonly title: string;
  /** The package of Debian that brings it. */
  readonly debianPackage: string;
  /** How to get it on other systems. */
  readonly elsewhere: string;
  /** Returns where it is, as the table below says; undefined when it is missing or too old. */
  find(places: Places): string | undefined;
}

/** The table. What is found: of PostgreSQL the directory of its server programs, of the others the file itself. */
const requirements = {
  postgresql: {
    title: 'PostgreSQL 15 or newer (the server programs initdb and postgres)',
    debianPackage: 'postgresql',
    elsewhere: 'https://www.postgresql.org/download/',
    find: findPostgresql,
  },
  nats: {
    title: 'nats-server 2.9 or newer',
    debianPackage: 'nats-server',
    elsewhere: 'https://docs.nats.io/running-a-nats-service/introduction/installation',
    find: ({ path, root }) =>
      executables('nats-server', [...directoriesOf(path), ...within(root, 'usr/sbin', 'usr/local/sbin')]).find((file) =>
        isAtLeast(versionOf(file), [2, 9]),
      ),
  },
  faketime: {
    title: 'libfaketime (libfaketime.so.1)',
    debianPackage: 'libfaketime',
    elsewhere: 'https://github.com/wolfcw/libfaketime',
    find: ({ root }) => {
      const libraries = within(root, 'usr/lib', 'usr/local/lib', 'usr/lib64');
      const architectures = libraries.flatMap((each) => [each, ...listed(each).map((name) => join(each, name))]);
      return architectures.map((each) => join(each, 'faketime/libfaketime.so.1')).find((file) => existsSync(file));
    },
  },
} as const satisfies Record<string, Requirement>;

export type RequirementName = keyof typeof requirements;

/** Where everything is that was asked for. */
export type Found<Name extends RequirementName> = Readonly<Record<Name, string>>;

/** What is there and what is not. */
export interface Findings<Name extends RequirementName> {
  readonly found: Partial<Found<Name>>;
  readonly missing: readonly Requirement[];
}

/** Every name of the table: what `npm test` needs. */
export const allRequirements = Object.keys(requirements) as readonly RequirementName[];

/** Looks for some of the requirements on this machine, or in other places. */
export function findRequirements<Name extends RequirementName>(
  names: readonly Name[],
  places: Places = { path: process.env.PATH ?? '', root: '/' },
): Findings<Name> {
  const found: Partial<Record<Name, string>> = {};
  const missing: Requirement[] = [];
  for (const name of names) {
    const place = requirements[name].find(places);
    if (place === undefined) missing.push(requirements[name]);
    else found[name] = place;
  }
  return { found, missing };
}

/**
 * Finds what is asked for. On Debian as root, what is missing is installed first, with a line on standard error.
 *
 * @throws MissingRequirementsError that lists everything that is missing and how to get it.
 */
export async function requireEngines<Name extends RequirementName>(names: readonly Name[]): Promise<Found<Name>> {
  const first = findRequirements(names);
  if (first.missing.length === 0) return first.found as Found<Name>;
  if (!canInstall()) throw new MissingRequirementsError(first.missing);
  const failure = await installPackages(first.missing.map(({ debianPackage }) => debianPackage));
  const second = findRequirements(names);
  if (second.missing.length > 0) throw new MissingRequirementsError(second.missing, failure);
  return second.found as Found<Name>;
}

/** The directory with the newest initdb and postgres. */
function findPostgresql({ path, root }: Places): string | undefined {
  const [debian = ''] = within(root, 'usr/lib/postgresql');
  const directories = [...directoriesOf(path), ...listed(debian).map((version) => join(debian, version, 'bin'))];
  const newestFirst = directories
    .filter((directory) => executables('initdb', [directory]).length > 0)
    .flatMap((directory) =>
      executables('postgres', [directory]).map((file) => ({ directory, version: versionOf(file) })),
    )
    .filter(({ version }) => isAtLeast(version, [15]))
    .sort((a, b) => (b.version[0] ?? 0) - (a.version[0] ?? 0) || (b.version[1] ?? 0) - (a.version[1] ?? 0));
  return newestFirst[0]?.directory;
}

function directoriesOf(path: string): string[] {
  return path.split(delimiter).filter((each) => each !== '');
}

function within(root: string, ...directories: string[]): string[] {
  return directories.map((each) => join(root, each));
}

function listed(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function executables(name: string, directories: readonly string[]): string[] {
  return directories.map((directory) => join(directory, name)).filter(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** The numbers of what a program says about its version: `postgres (PostgreSQL) 15.20` is 15, 20. */
function versionOf(program: string): readonly number[] {
  const { stdout } = spawnSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const numbers = /\d+(\.\d+)*/.exec(stdout ?? '')?.[0];
  return numbers?.split('.').map(Number) ?? [];
}

function isAtLeast(version: readonly number[], least: readonly number[]): boolean {
  for (const [index, number] of least.entries()) {
    const given = version[index] ?? 0;
    if (given !== number) return given > number;
  }
  return version.length > 0;
}
