import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Migrations } from '../src/index.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** Migrations of a test's own: SQL by file name. */
export function migrationsIn(schema: string, files: Readonly<Record<string, string>>): Migrations {
  const directory = temporaryDirectory();
  for (const [name, sql] of Object.entries(files)) writeFileSync(join(directory, name), sql);
  return { schema, directory };
}
