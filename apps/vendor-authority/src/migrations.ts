import { fileURLToPath } from 'node:url';
import type { Migrations } from '@muster/database';

/** The schema of the vendor authority. */
export const authorityMigrations: Migrations = {
  schema: 'authority',
  directory: fileURLToPath(new URL('../migrations/authority', import.meta.url)),
};
