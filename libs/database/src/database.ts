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

/** Statements that run one after the other in one session. */
export interface Session {
  /**
   * Runs one statement.
   *
   * @throws MusterError `UNAVAILABLE` when the database cannot be reached; the engine's own error otherwise.
   */
  query<Row>(statement: Statement, parameters?: readonly Parameter[]): Promise<readonly Row[]>;
}

/** A database as it is at one moment, whatever others commit meanwhile. */
export interface Snapshot extends Session {
  /**
   * The rows of a statement without parameters, read by a cursor: no more than `rowsPerPage` of them are held at a
   * time, however many there are. A page is never empty.
   */
  pages<Row>(statement: Statement, rowsPerPage: number): AsyncIterable<readonly Row[]>;
}

/**
 * A PostgreSQL database, embedded (PGlite) or served (DESIGN 4.2). The same SQL runs on both.
 *
 * Values come back alike from both engines: `bigint` as number, `timestamptz` as milliseconds since 1970 (UTC),
 * `bytea` as bytes, `uuid` and enumerations as text.
 *
 * Services write by single statements and functions: PGlite does not flush after an explicit transaction (DESIGN 7).
 * `transaction` is for whoever fills a database that nobody uses yet.
 */
export interface Database extends Session {
  readonly engine: 'pglite' | 'postgresql';

  /**
   * Runs one statement; it is committed when the promise is fulfilled.
   *
   * @throws MusterError `UNAVAILABLE` when the database cannot be reached; the engine's own error otherwise.
   */
  query<Row>(statement: Statement, parameters?: readonly Parameter[]): Promise<readonly Row[]>;

  /**
   * Reads at one moment: what `read` sees is the database at its first statement that reads. Others read and write on
   * meanwhile; on PGlite, which has one session, they wait.
   *
   * No limit of time holds for the statements. A table that is to be read later can still be dropped by others, unless
   * it is locked first: `lock table ... in access share mode` does not read.
   *
   * @throws MusterError `UNAVAILABLE` when the database cannot be reached; whatever `read` throws.
   */
  readSnapshot<Result>(read: (snapshot: Snapshot) => Promise<Result>): Promise<Result>;

  /**
   * Commits everything that `write` does, or, when it throws or the process dies, nothing. No limit of time holds for
   * the statements.
   *
   * @throws MusterError `UNAVAILABLE` when the database cannot be reached; whatever `write` throws.
   */
  transaction<Result>(write: (session: Session) => Promise<Result>): Promise<Result>;

  /**
   * Brings the schema up to date. One process migrates, others wait for it.
   *
   * @returns the names of the migrations that were applied, in order.
   */
  migrate(migrations: Migrations): Promise<readonly string[]>;

  /** Finishes what runs and closes. Further calls fail. */
  close(): Promise<void>;
}
