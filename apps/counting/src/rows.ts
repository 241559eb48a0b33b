/** A row of `counting.count_batch`. */
export interface CountedRow {
  readonly activation_id: string;
  readonly code: string;
  readonly count: number;
}

/** A row of the whole counts. */
export interface CountsRow {
  readonly application: string;
  readonly count_cap: number;
  readonly counted: number;
  readonly known: number;
  readonly cloned: number;
}

/** A row of the machines. Times are milliseconds since 1970. */
export interface MachineRow {
  readonly application: string;
  readonly cmid: string;
  readonly edition: string;
  readonly machine_class: string;
  readonly machine_name: string;
  readonly fingerprint: string;
  readonly raises_count: boolean;
  readonly first_request_at: number;
  readonly last_request_at: number;
  readonly requests: number;
  readonly last_code: string;
  readonly cloned_at: number | null;
}

/** A row of the identities of cloned CMIDs. */
export interface IdentityRow {
  readonly application: string;
  readonly cmid: string;
  readonly machine_name: string;
  readonly fingerprint: string;
  readonly last_seen_at: number;
}

/** How far a consumer of the log has come. The stream's columns are null until something was published into one. */
export interface CursorRow {
  readonly last_id: number;
  readonly stream_incarnation: string | null;
  readonly stream_sequence: number | null;
  readonly stream_event_id: string | null;
}

/** A cursor and the page of the activation log that comes after it. */
export interface LogPage extends CursorRow {
  readonly page: readonly LogRow[];
}

/** How the outbox does. */
export interface OutboxRow {
  readonly last_id: number;
  readonly lag: number;
  readonly relay: string;
}

/** A row of the activation log, as PostgreSQL writes it in JSON. */
export interface LogRow {
  readonly id: number;
  readonly activation_id: string;
  /** ISO 8601 with the offset of the session's time zone. */
  readonly occurred_at: string;
  readonly gateway_id: string;
  readonly remote_address: string;
  readonly application: string;
  readonly edition: string;
  readonly cmid: string;
  readonly previous_cmid: string | null;
  readonly machine_class: string;
  readonly machine_name: string;
  readonly licence_status: string;
  readonly client_version: string;
  readonly code: string;
  readonly count: number;
  readonly threshold: number;
  readonly first_seen: boolean;
  readonly cloned: boolean;
}
