import type { Statement } from './statement.ts';

/** The values that a statement's parameters may take on both engines. */
export type Parameter = string | number | boolean | null | Uint8Array | readonly (string | number | boolean | null)[];

/** Where a service keeps its migrations, and the schema that they make. */
export interface Migrations {
  /** The schema that belongs to the service alone. It also holds the table of applied migrations. */
  readonly schema: string;
  /** A directory of forward-only `.sql` files, applied in the order of their names. */
  readonly directory: string;
}

/**
 * A PostgreSQL database, embedded (PGlite) or served (DESIGN 4.2). The same SQL runs on both.
 *
 * Values come back alike from both engines: `bigint` as number, `timestamptz` as milliseconds since 1970 (UTC),
 * `bytea` as bytes, `uuid` and enumerations as text.
 *
 * There is no transaction call: whatever has to be atomic is one statement or one function, because PGlite does not
 * flush after an explicit transaction (DESIGN 7).
 */
export interface Database {
  readonly engine: 'pglite' | 'postgresql';

  /**
   * Runs one statement; it is committed when the promise is fulfilled.
   *
   * @throws MusterError `UNAVAILABLE` when the database cannot be reached; the engine's own error otherwise.
   */
  query<Row>(statement: Statement, parameters?: readonly Parameter[]): Promise<readonly Row[]>;

  /**
   * Brings the schema up to date. One process migrates, others wait for it.
   *
   * @returns the names of the migrations that were applied, in order.
   */
  migrate(migrations: Migrations): Promise<readonly string[]>;

  /** Finishes what runs and closes. Further calls fail. */
  close(): Promise<void>;
}
