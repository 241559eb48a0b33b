import type { Statement } from '@muster/database';

/** One batch, counted, judged and logged: see migrations/counting/0002_count-batch.sql. */
export const countBatchStatement: Statement = {
  name: 'counting.count_batch',
  text: `
    select activation_id, code, count
    from counting.count_batch(
      to_timestamp($1::float8 / 1000), $2::text, $3::text[], $4::text[], $5::uuid[], $6::uuid[], $7::text[], $8::text[],
      $9::text[], $10::text[], $11::text[], $12::text[], $13::boolean[], $14::integer[], $15::text[],
      $16::text[], $17::integer[], $18::integer[])`,
};

/** Whether the server is there and takes writes: a standby answers, and commits nothing. */
export const probeStatement: Statement = {
  name: 'counting.probe',
  text: `select current_setting('transaction_read_only') = 'off' as writable`,
};

/** The whole count of each application, without the cap. Each of the three numbers is read from an index of its own. */
export const countsStatement: Statement = {
  name: 'counting.counts',
  text: `
    select rule.application, rule.count_cap,
           (select count(*)
            from counting.machine
            where machine.application = rule.application
              and machine.raises_count
              and machine.last_request_at
                  > to_timestamp($1::float8 / 1000) - make_interval(mins => rule.retention_minutes)) as counted,
           (select count(*) from counting.machine where machine.application = rule.application) as known,
           (select count(*)
            from counting.machine
            where machine.application = rule.application and machine.cloned_at is not null) as cloned
    from unnest($2::text[], $3::integer[], $4::integer[]) as rule(application, count_cap, retention_minutes)
    order by rule.application`,
};

/**
 * A page of the machines, ordered by application and CMID: of all applications, or of one. A page begins after a
 * machine, or at it.
 *
 * A statement for each filter, so that each reads no more rows of its index than it gives back.
 */
export function machinesStatement(filter: {
  readonly oneApplication: boolean;
  readonly clonedOnly: boolean;
}): Statement {
  const { oneApplication, clonedOnly } = filter;
  return {
    name: `counting.machines${oneApplication ? '_of_application' : ''}${clonedOnly ? '_cloned' : ''}`,
    text: `
    select application, cmid, edition, machine_class, machine_name, fingerprint, raises_count,
           first_request_at, last_request_at, requests, last_code, cloned_at
    from counting.machine
    where ${oneApplication ? 'application = $1::text and cmid >= $2::uuid' : '(application, cmid) >= ($1::text, $2::uuid)'}
      and ($3::boolean or (application, cmid) <> ($1::text, $2::uuid))
      ${clonedOnly ? 'and cloned_at is not null' : ''}
    order by application, cmid
    limit $4::integer`,
  };
}

/** The identities seen with cloned CMIDs, the youngest first. */
export const identitiesStatement: Statement = {
  name: 'counting.identities',
  text: `
    select identity.application, identity.cmid, identity.machine_name, identity.fingerprint, identity.last_seen_at
    from counting.machine_identity as identity
    join unnest($1::text[], $2::uuid[]) as wanted(application, cmid) using (application, cmid)
    order by identity.application, identity.cmid, identity.last_seen_at desc, identity.machine_name`,
};

/** A consumer of the log begins at its first row. Does nothing when the consumer is known. */
export const openCursorStatement: Statement = {
  name: 'counting.open_cursor',
  text: 'insert into counting.outbox_cursor (consumer, last_id) values ($1::text, 0) on conflict (consumer) do nothing',
};

/** How far a consumer of the log has come, and where in the durable stream its last publication lies. */
export const readCursorStatement: Statement = {
  name: 'counting.read_cursor',
  text: `
    select last_id, stream_incarnation, stream_sequence, stream_event_id
    from counting.outbox_cursor
    where consumer = $1::text`,
};

/** The log rows that come after a consumer's cursor, in the order of their commit, as one JSON array. */
export const nextPageStatement: Statement = {
  name: 'counting.next_page',
  text: `
    select last_id, stream_incarnation, stream_sequence, stream_event_id,
           counting.log_page(last_id, $2::integer) as page
    from counting.outbox_cursor
    where consumer = $1::text`,
};

/** Moves the cursor from the position that was read to another one, if the lease is still held. No row when it is not. */
export const saveCursorStatement: Statement = {
  name: 'counting.save_cursor',
  text: `
    update counting.outbox_cursor
    set last_id = $3::bigint, stream_incarnation = $4::text, stream_sequence = $5::bigint, stream_event_id = $6::text
    where consumer = $1::text
      and last_id = $2::bigint
      and exists (select from counting.relay_lease as lease where lease.consumer = $1::text and lease.holder = $7::text)
    returning last_id`,
};

/**
 * Takes or renews the lease of a consumer for $4 milliseconds by the clock of the database. A row when it is held.
 *
 * A lease that ends later than any lease can was made before the clock was set back; it counts as ended.
 */
export const holdLeaseStatement: Statement = {
  name: 'counting.hold_lease',
  text: `
    insert into counting.relay_lease as lease (consumer, holder, replica, expires_at)
    select $1::text, $2::text, $3::text, clock_timestamp() + make_interval(secs => $4::float8 / 1000)
    where not exists (
      select
      from counting.relay_lease as other
      where other.consumer = $1::text
        and other.holder <> $2::text
        and other.expires_at > clock_timestamp()
        and other.expires_at <= clock_timestamp() + make_interval(secs => $4::float8 / 1000))
    on conflict (consumer) do update
      set holder = excluded.holder, replica = excluded.replica, expires_at = excluded.expires_at
      where lease.holder = excluded.holder
         or lease.expires_at <= clock_timestamp()
         or lease.expires_at > clock_timestamp() + make_interval(secs => $4::float8 / 1000)
    returning holder`,
};

export const releaseLeaseStatement: Statement = {
  name: 'counting.release_lease',
  text: 'delete from counting.relay_lease where consumer = $1::text and holder = $2::text',
};

/** The id of the event that a log row stands for. No row when there is no such log row. */
export const eventIdStatement: Statement = {
  name: 'counting.event_id',
  text: 'select activation_id from counting.activation_log where id = $1::bigint',
};

/** The first log row that is younger than so many milliseconds; null when none is. */
export const firstYoungerStatement: Statement = {
  name: 'counting.first_younger',
  text: 'select counting.first_log_id(clock_timestamp() - make_interval(secs => $1::float8 / 1000)) as id',
};

/**
 * Sets a consumer's cursor back to the first log row at or after a time, never forward.
 *
 * One row: the position before that row and the position that the cursor had. No row when nothing has to be done.
 */
export const replayStatement: Statement = {
  name: 'counting.replay',
  text: `
    with first as (
      select counting.first_log_id(to_timestamp($2::float8 / 1000)) as id
    ),
    before as (
      select last_id from counting.outbox_cursor where consumer = $1::text for update
    )
    update counting.outbox_cursor
    set last_id = first.id - 1
    from first, before
    where outbox_cursor.consumer = $1::text and first.id <= before.last_id
    returning first.id - 1 as after_id, before.last_id as until_id`,
};

/** How many log rows come after $1 and not after $2, in steps of at most $3 rows, so that no step takes long. */
export const countLogStatement: Statement = {
  name: 'counting.count_log',
  text: `
    select count(*) as rows, coalesce(max(id), $2::bigint) as last_id
    from (
      select id
      from counting.activation_log
      where id > $1::bigint and id <= $2::bigint
      order by id
      limit $3::integer) as step`,
};

/**
 * How many log rows a consumer has not had yet, the consumer's position, and who publishes for it at this moment. Beyond
 * 100,000 rows the distance of the ids is told instead of the number, which would take long to count: it can be larger,
 * because ids have gaps.
 */
export const outboxStatement: Statement = {
  name: 'counting.outbox',
  text: `
    with cursor as materialized (
      select coalesce((select last_id from counting.outbox_cursor where consumer = $1::text), 0) as last_id
    ),
    waiting as (
      select count(*) as rows
      from (
        -- Ordered, so that the index is read and not the whole log.
        select id
        from counting.activation_log
        where id > (select last_id from cursor)
        order by id
        limit 100001) as counted
    )
    select cursor.last_id,
           case when waiting.rows <= 100000 then waiting.rows
                else (select max(id) from counting.activation_log) - cursor.last_id
           end as lag,
           coalesce((select replica
                     from counting.relay_lease
                     where consumer = $1::text and expires_at > clock_timestamp()), '') as relay
    from cursor, waiting`,
};
