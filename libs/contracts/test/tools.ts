import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
export const protoDirectory = join(root, 'proto');
export const baselineImage = join(protoDirectory, 'baseline/contracts.binpb');

/** Runs buf in proto/, with its configuration there. Throws with what buf has written when it does not succeed. */
export function buf(...parameters: string[]): string {
  try {
    const program = join(root, 'node_modules/.bin/buf');
    return execFileSync(program, parameters, { cwd: protoDirectory, stdio: 'pipe', encoding: 'utf8' });
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
    throw new Error(`${stdout}${stderr}`);
  }
}

/** Runs a script of libs/contracts/scripts. */
export function runScript(name: string, ...parameters: string[]): void {
  execFileSync(process.execPath, ['--no-warnings', join(root, 'libs/contracts/scripts', name), ...parameters], {
    stdio: 'pipe',
  });
}

/** An empty directory that is removed when the test is over. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'muster-contracts-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The content of every file below a directory, by its path there. */
export function filesBelow(directory: string): Record<string, string> {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name)).sort();
  return Object.fromEntries(paths.map((path) => [path.slice(directory.length), readFileSync(path, 'utf8')]));
}
