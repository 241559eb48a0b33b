import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** Lines that are not blank, of one package; generated code is left out. */
export interface PackageLines {
  readonly package: string;
  readonly typescript: number;
  readonly sql: number;
  readonly proto: number;
  /** Tests and what only they use, in any language. */
  readonly tests: number;
}

/** Every package of the workspace, and the contracts in `proto`. */
export function countLines(): readonly PackageLines[] {
  const { workspaces } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { workspaces: string[] };
  const packages = workspaces.flatMap((pattern) => globSync(`${pattern}/package.json`, { cwd: root }).map(dirname));
  return [...packages.toSorted(), 'proto'].map(countPackage);
}

function countPackage(directory: string): PackageLines {
  const lines = { typescript: 0, sql: 0, proto: 0, tests: 0 };
  const files = globSync('**/*.{ts,sql,proto}', {
    cwd: join(root, directory),
    exclude: ['**/node_modules', '**/generated', '**/dist'],
  });
  for (const file of files) lines[kindOf(file)] += linesOf(join(root, directory, file));
  return { package: directory, ...lines };
}

function kindOf(file: string): 'typescript' | 'sql' | 'proto' | 'tests' {
  if (/\.test\.ts$|(^|\/)(test|testing)\//.test(file)) return 'tests';
  if (file.endsWith('.sql')) return 'sql';
  return file.endsWith('.proto') ? 'proto' : 'typescript';
}

function linesOf(file: string): number {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.trim() !== '').length;
}
