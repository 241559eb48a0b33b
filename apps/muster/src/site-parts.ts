import {
  clearCounting,
  countingContents,
  countingMigrations,
  countingTables,
  finishCountingImport,
} from '@muster/counting';
import { appliedMigrations, type CarriedTable, type Migrations, migrationNames, type Session } from '@muster/database';
import { clearPolicy, policyContents, policyMigrations, policyTables } from '@muster/licensing-policy';
import { MusterError } from '@muster/product-groups';

/** What one service keeps of a site, and how it is put into an empty site again. The tables are the service's own. */
export interface SitePart {
  readonly migrations: Migrations;
  tables(options: { readonly withoutLog: boolean }): readonly CarriedTable[];
  /** What an import must not be mixed with, in words. */
  contents(session: Session): Promise<readonly string[]>;
  /** Removes what an empty site has of its own. */
  clear(session: Session): Promise<void>;
  /** Comes after the last row. */
  finish(session: Session): Promise<void>;
}

/** The services whose rows make up a site, in the order in which they are exported. */
export const siteParts: readonly SitePart[] = [
  {
    migrations: policyMigrations,
    tables: () => policyTables,
    contents: policyContents,
    clear: clearPolicy,
    finish: async () => undefined,
  },
  {
    migrations: countingMigrations,
    tables: countingTables,
    contents: countingContents,
    clear: clearCounting,
    finish: finishCountingImport,
  },
];

/**
 * The last migration of each schema of a site.
 *
 * @throws MusterError `DATABASE_UNUSABLE` when there is no site, or when another release has made its schemas.
 */
export async function requireSchemas(session: Session, place: string): Promise<Readonly<Record<string, string>>> {
  const schemas: Record<string, string> = {};
  for (const { migrations } of siteParts) {
    const applied = await appliedMigrations(session, migrations);
    const known = migrationNames(migrations);
    const last = applied.at(-1);
    if (last === undefined) {
      throw new MusterError({
        code: 'DATABASE_UNUSABLE',
        message: `There is no site in ${place}: it has no schema ${migrations.schema}.`,
        remedy: 'Name the data directory by --data, or the PostgreSQL of the site by --database.',
      });
    }
    if (applied.join() !== known.join()) {
      throw new MusterError({
        code: 'DATABASE_UNUSABLE',
        message: `The schema ${migrations.schema} of the site ends with ${last}, and this release works with ${known.at(-1)}.`,
        remedy: 'Use the release that the site runs, or start the site once with this one, which migrates it.',
      });
    }
    schemas[migrations.schema] = last;
  }
  return schemas;
}
