import { fileURLToPath } from 'node:url';
import type { Migrations } from '@muster/database';

/** The schema of licensing-policy. */
export const policyMigrations: Migrations = {
  schema: 'policy',
  directory: fileURLToPath(new URL('../migrations/policy', import.meta.url)),
};
