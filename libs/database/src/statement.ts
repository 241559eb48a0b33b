/**
 * One SQL statement of the system: text with `$1` parameters and a name of its own.
 *
 * The name becomes the prepared statement's name on PostgreSQL, so it is unique:
 * `<service>.<what it does>`, for example `counting.count_batch`.
 */
export interface Statement {
  readonly name: string;
  readonly text: string;
}
