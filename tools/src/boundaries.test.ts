import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

/** Each rule of the module boundaries is broken once, in a copy of the lint configuration. */
const root = fileURLToPath(new URL('../../', import.meta.url));
const copy = mkdtempSync(join(tmpdir(), 'muster-boundaries-'));

beforeAll(() => {
  cpSync(join(root, 'biome.json'), join(copy, 'biome.json'));
  cpSync(join(root, 'tools/lint'), join(copy, 'tools/lint'), { recursive: true });
});
afterAll(() => rmSync(copy, { recursive: true, force: true }));

describe.each(['product-groups', 'trust', 'wire-codec'])('the pure library %s', (library) => {
  test.each([
    ['reads files', `import { readFileSync } from 'node:fs';\nexport const a = readFileSync;`],
    ['opens sockets', `import { connect } from 'node:net';\nexport const a = connect;`],
    ['imports a database driver', `import pg from 'pg';\nexport const a = pg;`],
    ['imports gRPC', `import { Server } from '@grpc/grpc-js';\nexport const a = Server;`],
    ['imports a library that connects', `import { openPglite } from '@muster/database';\nexport const a = openPglite;`],
    ['imports a service', `import { createCounting } from '@muster/counting';\nexport const a = createCounting;`],
    [
      'imports a type of a service',
      `import type { A } from '../../../apps/counting/src/service.ts';\nexport type B = A;`,
    ],
    ['looks at the clock', 'export const a = Date.now();'],
    ['makes a date of now', 'export const a = new Date();'],
    ['draws a random number', 'export const a = Math.random();'],
    ['reads the environment', 'export const a = process.env;'],
    ['calls out', `export const a = fetch('http://localhost');`],
    ['sets a timer', 'export const a = setTimeout(() => undefined, 1);'],
  ])('fails the lint when it %s', (_, source) => {
    expect(lint(`libs/${library}/src/violation.ts`, source)).toBe('refused');
  });

  test('passes the lint when it imports a pure library', () => {
    const source = `import type { Catalogue } from '@muster/product-groups';\nexport type A = Catalogue;`;
    expect(lint(`libs/${library}/src/fine.ts`, source)).toBe('accepted');
  });
});

describe.each(['counting', 'licensing-policy', 'protocol-gateway', 'vendor-authority'])('the service %s', (service) => {
  const others = ['counting', 'licensing-policy', 'protocol-gateway', 'vendor-authority', 'muster'].filter(
    (name) => name !== service,
  );

  test.each(others)('fails the lint when it imports %s by its name', (other) => {
    expect(lint(`apps/${service}/src/violation.ts`, `import { a } from '@muster/${other}';\nexport const b = a;`)).toBe(
      'refused',
    );
  });

  test.each(others)('fails the lint when it imports a type of %s by its path', (other) => {
    const source = `import type { A } from '../../${other}/src/service.ts';\nexport type B = A;`;
    expect(lint(`apps/${service}/src/violation.ts`, source)).toBe('refused');
  });
});

test('a library that connects fails the lint when it imports an app', () => {
  expect(lint('libs/events/src/violation.ts', `import { a } from '@muster/counting';\nexport const b = a;`)).toBe(
    'refused',
  );
});

test('only apps/muster composes the services', () => {
  expect(lint('apps/muster/src/fine.ts', `import { a } from '@muster/counting';\nexport const b = a;`)).toBe(
    'accepted',
  );
});

test('an import that package.json does not declare fails the lint', () => {
  const source = `import { a } from 'left-pad';\nexport const b = a;`;
  expect(lint('apps/counting/src/undeclared.ts', source, {})).toBe('refused');
});

/** Lints one file; its package declares everything that these tests import, unless told. */
function lint(path: string, source: string, dependencies: Record<string, string> = declared): 'accepted' | 'refused' {
  const file = join(copy, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(join(dirname(dirname(file)), 'package.json'), JSON.stringify({ name: 'linted', dependencies }));
  writeFileSync(file, `${source}\n`);
  const options = ['lint', '--vcs-enabled=false', '--error-on-warnings', file];
  const run = spawnSync(join(root, 'node_modules/.bin/biome'), options, { cwd: copy, encoding: 'utf8' });
  rmSync(file);
  if (run.status === 0) return 'accepted';
  const broken = /lint\/style\/noRestricted(Imports|Globals)|lint\/correctness\/noUndeclaredDependencies| plugin /;
  if (!broken.test(run.stderr + run.stdout)) throw new Error(`biome failed otherwise: ${run.stderr}`);
  return 'refused';
}

const declared: Record<string, string> = Object.fromEntries(
  [
    ...['pg', '@grpc/grpc-js', '@muster/database', '@muster/product-groups'],
    ...['counting', 'licensing-policy', 'protocol-gateway', 'vendor-authority', 'muster'].map(
      (name) => `@muster/${name}`,
    ),
  ].map((name) => [name, '*']),
);
