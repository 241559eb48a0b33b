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

/** The whole count of each application, without the cap. */
export const countsStatement: Statement = {
  name: 'counting.counts',
  text: `
    select rule.application, rule.count_cap,
           count(machine.cmid) filter (
             where machine.raises_count
               and machine.last_request_at
                   > to_timestamp($1::float8 / 1000) - make_interval(mins => rule.retention_minutes)) as counted,
           count(machine.cmid) as known,
           count(machine.cloned_at) as cloned
    from unnest($2::text[], $3::integer[], $4::integer[]) as rule(application, count_cap, retention_minutes)
    left join counting.machine using (application)
    group by rule.application, rule.count_cap
    order by rule.application`,
};

/** A page of the machines, ordered by application and CMID, after the last one of the page before. */
export const machinesStatement: Statement = {
  name: 'counting.machines',
  text: `
    select application, cmid, edition, machine_class, machine_name, fingerprint, raises_count,
           first_request_at, last_request_at, requests, last_code, cloned_at
    from counting.machine
    where (application, cmid) > ($1::text, $2::uuid)
      and ($3::text = '' or application = $3::text)
      and (not $4::boolean or cloned_at is not null)
    order by application, cmid
    limit $5::integer`,
};

/** The identities seen with cloned CMIDs, the youngest first. */
export const identitiesStatement: Statement = {
  name: 'counting.identities',
  text: `
    select identity.application, identity.cmid, identity.machine_name, identity.fingerprint, identity.last_seen_at
    from counting.machine_identity as identity
    join unnest($1::text[], $2::uuid[]) as wanted(application, cmid) using (application, cmid)
    order by identity.application, identity.cmid, identity.last_seen_at desc, identity.machine_name`,
};

/**
 * The log rows that come after a position, in the order of their commit, as one JSON array: PGlite reads a page of rows
 * column by column, which costs more than everything else about it.
 */
export const logAfterStatement: Statement = {
  name: 'counting.log_after',
  text: `
    select coalesce(json_agg(page order by id), '[]') as page
    from (
      select id, activation_id, occurred_at, gateway_id, remote_address, application, edition, cmid, previous_cmid,
             machine_class, machine_name, licence_status, client_version, code, count, threshold, first_seen, cloned
      from counting.activation_log
      where id > $1::bigint
      order by id
      limit $2::integer) as page`,
};

/** How far a consumer of the log has come. No row when it never ran. */
export const readCursorStatement: Statement = {
  name: 'counting.read_cursor',
  text: `select last_id from counting.outbox_cursor where consumer = $1::text`,
};

export const saveCursorStatement: Statement = {
  name: 'counting.save_cursor',
  text: `
    insert into counting.outbox_cursor (consumer, last_id) values ($1::text, $2::bigint)
    on conflict (consumer) do update set last_id = excluded.last_id`,
};

/** How many log rows a consumer has not had yet. */
export const outboxLagStatement: Statement = {
  name: 'counting.outbox_lag',
  text: `
    select count(*) as lag
    from counting.activation_log
    where id > coalesce((select last_id from counting.outbox_cursor where consumer = $1::text), 0)`,
};
