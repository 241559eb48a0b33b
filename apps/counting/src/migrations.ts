import { fileURLToPath } from 'node:url';
import type { Migrations } from '@muster/database';

/** The schema of counting. In a bundle the files lie beside it, under the service's name. */
export const countingMigrations: Migrations = {
  schema: 'counting',
  directory: fileURLToPath(new URL('../migrations/counting', import.meta.url)),
};
