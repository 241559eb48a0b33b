import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { countingMigrations } from '@muster/counting';
import { openPglite } from '@muster/database';
import { policyMigrations } from '@muster/licensing-policy';
import { temporaryDirectory } from './cleanup.ts';

const migrations = [policyMigrations, countingMigrations];
const workspace = fileURLToPath(new URL('../../../../', import.meta.url));
const cache = join(workspace, 'node_modules', '.cache', 'muster-test');

/**
 * A data directory with an empty database in it, for one site. Making one takes seconds, copying one does not. Who the
 * host is and whom it trusts is decided by the site that is started on it.
 */
export async function dataDirectory(): Promise<string> {
  const directory = join(temporaryDirectory(), 'data');
  cpSync(await emptyDatabase(), directory, { recursive: true });
  return directory;
}

/** An empty database of these migrations and these packages, made once for all test files. */
async function emptyDatabase(): Promise<string> {
  const name = `database-${fingerprint()}`;
  const made = join(cache, name);
  if (existsSync(made)) return made;
  const directory = join(temporaryDirectory(), 'empty');
  const database = await openPglite({ directory });
  for (const each of migrations) await database.migrate(each);
  await database.close();
  mkdirSync(cache, { recursive: true });
  for (const old of readdirSync(cache).filter((each) => !each.startsWith(name))) {
    rmSync(join(cache, old), { recursive: true, force: true });
  }
  // Copied beside its place and then renamed: nobody sees half of it.
  const beside = `${made}-${process.pid}`;
  cpSync(directory, beside, { recursive: true });
  try {
    renameSync(beside, made);
  } catch {
    rmSync(beside, { recursive: true }); // Another test file was faster.
  }
  return made;
}

function fingerprint(): string {
  const hash = createHash('sha256').update(readFileSync(join(workspace, 'package-lock.json')));
  for (const { directory } of migrations) {
    for (const name of readdirSync(directory).sort()) hash.update(name).update(readFileSync(join(directory, name)));
  }
  return hash.digest('hex').slice(0, 16);
}
