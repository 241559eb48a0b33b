import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const buf = (...parameters: string[]) =>
  execFileSync(join(root, 'node_modules/.bin/buf'), parameters, { cwd: join(root, 'proto'), stdio: 'pipe' });

test('generating from proto/ again changes nothing', () => {
  const directory = mkdtempSync(join(tmpdir(), 'muster-generated-'));
  try {
    // The template's output lies two levels above, so it is given a place two levels down.
    buf('generate', '--output', join(directory, 'a'));
    expect(filesBelow(join(directory, 'libs/contracts/src/generated'))).toEqual(
      filesBelow(join(root, 'libs/contracts/src/generated')),
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

test('proto/ keeps to the lint rules of buf', () => {
  expect(() => buf('lint')).not.toThrow();
});

function filesBelow(directory: string): Record<string, string> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [path.slice(directory.length), readFileSync(path, 'utf8')]));
}
