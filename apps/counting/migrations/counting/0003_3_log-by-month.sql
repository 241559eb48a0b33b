-- The activation log by month, step 3 of 3: the log of before becomes a partition.
--
-- Months are made ahead of time and dropped by the log keeper (src/log-keeper.ts). What has no month goes to the default
-- partition, so that no insert ever fails. PostgreSQL 15 knows no identity on partitioned tables: ids come from the
-- sequence instead, under the lock of batches as before, and go on where they were. Every partition has an index on the
-- id of its own.
set local time zone 'UTC';
set local datestyle = 'ISO';
set local lock_timeout = '5s';
-- Of what follows nothing may read the whole log, least of all under the lock.
set local enable_seqscan = off;

-- Whatever was logged since step 2: here most of it, below the last of it.
create function counting.time_log() returns void language sql as $$
  with time as materialized (
    select date_bin('10 minutes', occurred_at, 'epoch') as began_at, min(id) as first_id, max(id) as last_id
    from counting.activation_log
    where id > (select timed_id from counting.log_partitioning)
    group by began_at
  ),
  timed as (
    insert into counting.log_time (began_at, first_id) select began_at, first_id from time
    on conflict (began_at) do nothing
  )
  update counting.log_partitioning set timed_id = greatest(timed_id, (select max(last_id) from time));
$$;
select counting.time_log();

-- As in step 1.
lock table only counting.activation_log in share update exclusive mode;
select pg_advisory_xact_lock(7310601958472);
set local lock_timeout = '100ms';
lock table counting.activation_log in access exclusive mode;

select counting.time_log();
drop function counting.time_log();

do $$
declare
  bound   timestamptz := (select log_partitioning.bound from counting.log_partitioning);
  before  text := 'activation_log_before_' || to_char(bound, 'YYYY_MM');
  next_id bigint := (select case when is_called then last_value + 1 else last_value end from counting.activation_log_id_seq);
begin
  drop trigger keep_later_row on counting.activation_log;
  alter table counting.activation_log_default no inherit counting.activation_log;

  alter table counting.activation_log alter column id drop identity;
  execute format('alter table counting.activation_log rename to %I', before);
  execute format('alter index counting.activation_log_pkey rename to %I', before || '_pkey');

  execute format('create table counting.activation_log (like counting.%I) partition by range (occurred_at)', before);
  create sequence counting.activation_log_id_seq as bigint owned by counting.activation_log.id;
  perform setval('counting.activation_log_id_seq', next_id, false);
  alter table counting.activation_log alter column id set default nextval('counting.activation_log_id_seq');

  -- A batch that has begun with the function of before and still waits for the lock notes no time.
  insert into counting.log_time (began_at, first_id)
  select date_bin('10 minutes', now(), 'epoch') + step * interval '10 minutes', next_id
  from generate_series(0, 1) as step
  on conflict (began_at) do nothing;

  -- The constraint says already what the partition is bound to, so that nothing is read.
  if next_id > 1 then
    execute format('alter table counting.activation_log
                    attach partition counting.%I for values from (minvalue) to (%L)', before, bound);
    execute format('alter table counting.%I drop constraint activation_log_bound', before);
  else
    execute format('drop table counting.%I', before);
  end if;
  alter table counting.activation_log attach partition counting.activation_log_default default;
end;
$$;

drop function counting.keep_later_row();
drop table counting.log_partitioning;

-- The first row of the log that was committed at a time or later, and null when there is none yet: everything from it on
-- is what came since. It is found in the ten minutes of the time, or at the first row of some later ones.
create function counting.first_log_id(since timestamptz) returns bigint
language sql stable
set enable_seqscan = off
as $$
  select id
  from counting.activation_log
  where id >= (select min(first_id) from counting.log_time where began_at >= date_bin('10 minutes', since, 'epoch'))
    and occurred_at >= since
  order by id
  limit 1
$$;

-- The rows after an id, in the order of their commit, as one JSON array: PGlite reads a page of rows column by column,
-- which costs more than everything else about it. As in 0002, a plan that was made on small months must not scan grown
-- ones.
create function counting.log_page(after_id bigint, page_rows integer) returns json
language plpgsql stable
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
begin
  return (
    select coalesce(json_agg(page order by id), '[]')
    from (
      select id, activation_id, occurred_at, gateway_id, remote_address, application, edition, cmid, previous_cmid,
             machine_class, machine_name, licence_status, client_version, code, count, threshold, first_seen, cloned
      from counting.activation_log
      where id > after_id
      order by id
      limit page_rows
    ) as page
  );
end;
$$;

-- As in 0002, and the first row of every ten minutes is noted.
create or replace function counting.count_batch(
  batch_at           timestamptz,
  gateway            text,
  applications       text[],
  editions           text[],
  cmids              uuid[],
  previous_cmids     uuid[],
  machine_classes    text[],
  machine_names      text[],
  fingerprints       text[],
  licence_statuses   text[],
  client_versions    text[],
  remote_addresses   text[],
  raising            boolean[],
  thresholds         integer[],
  refusals           text[],
  rule_applications  text[],
  rule_count_caps    integer[],
  rule_retentions    integer[] -- minutes
) returns table (activation_id uuid, code text, count integer)
language plpgsql
set enable_seqscan = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  perform pg_advisory_xact_lock(7310601958472);

  return query
  with request as materialized (
    select *
    from unnest(applications, editions, cmids, previous_cmids, machine_classes, machine_names, fingerprints,
                licence_statuses, client_versions, remote_addresses, raising, thresholds, refusals)
      with ordinality
      as request(application, edition, cmid, previous_cmid, machine_class, machine_name, fingerprint,
                 licence_status, client_version, remote_address, raises_count, threshold, refusal, ordinal)
  ),
  -- What the count of each application was before the batch. No more rows than can matter are read: the reported count
  -- is capped, and the batch can take away at most as many machines as it has requests.
  rule as materialized (
    select rule.application, rule.count_cap, make_interval(mins => rule.retention_minutes) as retention,
           (select count(*)
            from (select 1
                  from counting.machine
                  where machine.application = rule.application
                    and machine.raises_count
                    and machine.last_request_at > batch_at - make_interval(mins => rule.retention_minutes)
                  order by machine.last_request_at desc
                  limit rule.count_cap + cardinality(applications)) as youngest) as count_before
    from unnest(rule_applications, rule_count_caps, rule_retentions) as rule(application, count_cap, retention_minutes)
  ),
  -- The requests that are counted, each with what was known of its CMID: by an earlier request of the batch, else by
  -- the table. A withheld name or fingerprint says nothing, so each is compared with the last one that was given.
  counted as (
    select request.ordinal, request.application, request.cmid, request.raises_count, request.machine_name,
           request.fingerprint,
           row_number() over same_machine = 1 as first_in_batch,
           case when row_number() over same_machine = 1
                then coalesce(known.raises_count and known.last_request_at > batch_at - rule.retention, false)
                else lag(request.raises_count) over same_machine
           end as was_counted,
           known.cmid is not null as was_known,
           coalesce(lag(request.machine_name) over same_machine_named, known.machine_name, '') as known_name,
           coalesce(lag(request.fingerprint) over same_machine_fingerprinted, known.fingerprint, '') as known_fingerprint,
           coalesce(known.last_request_at, batch_at) as known_at
    from request
    join rule using (application)
    left join lateral (
      select machine.cmid, machine.raises_count, machine.last_request_at, machine.machine_name, machine.fingerprint
      from counting.machine
      where machine.application = request.application and machine.cmid = request.cmid
      offset 0
    ) as known on true
    where request.refusal = ''
    window same_machine as (partition by request.application, request.cmid order by request.ordinal),
           same_machine_named as (
             partition by request.application, request.cmid, request.machine_name <> '' order by request.ordinal),
           same_machine_fingerprinted as (
             partition by request.application, request.cmid, request.fingerprint <> '' order by request.ordinal)
  ),
  compared as materialized (
    select counted.*,
           first_in_batch and not was_known as first_seen,
           (machine_name <> '' and known_name <> '' and machine_name <> known_name)
             or (fingerprint <> '' and known_fingerprint <> '' and fingerprint <> known_fingerprint) as cloned
    from counted
  ),
  -- Counted first, then judged: the machine that makes the count reach the threshold is itself activated.
  numbered as (
    select request.*,
           coalesce(compared.first_seen, false) as first_seen,
           coalesce(compared.cloned, false) as cloned,
           coalesce(least(rule.count_cap,
                          rule.count_before
                            + sum(coalesce(compared.raises_count::integer - compared.was_counted::integer, 0))
                                over (partition by request.application order by request.ordinal)), 0)::integer as count
    from request
    left join rule using (application)
    left join compared using (ordinal)
  ),
  decided as materialized (
    select numbered.*,
           gen_random_uuid() as activation_id,
           case when refusal <> '' then refusal
                when numbered.count >= threshold then 'GRANTED'
                else 'COUNT_INSUFFICIENT'
           end as code
    from numbered
  ),
  machines as (
    insert into counting.machine as machine
      (application, cmid, edition, machine_class, machine_name, fingerprint, raises_count,
       first_request_at, last_request_at, requests, last_code, cloned_at)
    select application, cmid,
           (array_agg(edition order by ordinal desc))[1],
           (array_agg(machine_class order by ordinal desc))[1],
           coalesce((array_agg(machine_name order by ordinal desc) filter (where machine_name <> ''))[1], ''),
           coalesce((array_agg(fingerprint order by ordinal desc) filter (where fingerprint <> ''))[1], ''),
           (array_agg(raises_count order by ordinal desc))[1],
           batch_at, batch_at, count(*),
           (array_agg(code order by ordinal desc))[1],
           case when bool_or(cloned) then batch_at end
    from decided
    where refusal = ''
    group by application, cmid
    order by application, cmid
    on conflict (application, cmid) do update
      set edition = excluded.edition,
          machine_class = excluded.machine_class,
          machine_name = coalesce(nullif(excluded.machine_name, ''), machine.machine_name),
          fingerprint = coalesce(nullif(excluded.fingerprint, ''), machine.fingerprint),
          raises_count = excluded.raises_count,
          last_request_at = greatest(machine.last_request_at, excluded.last_request_at),
          requests = machine.requests + excluded.requests,
          last_code = excluded.last_code,
          cloned_at = coalesce(machine.cloned_at, excluded.cloned_at)
  ),
  -- For a clone both identities are kept, at most 32 a CMID: whoever forges more of them fills nothing.
  identities as (
    insert into counting.machine_identity as identity (application, cmid, machine_name, fingerprint, last_seen_at)
    select application, cmid, machine_name, fingerprint, max(seen_at)
    from (select application, cmid, machine_name, fingerprint, batch_at as seen_at from compared where cloned
          union all
          select application, cmid, known_name, known_fingerprint, known_at from compared where cloned) as seen
    where (select count(*)
           from counting.machine_identity as present
           where present.application = seen.application and present.cmid = seen.cmid) < 32
    group by application, cmid, machine_name, fingerprint
    order by application, cmid, machine_name, fingerprint
    on conflict (application, cmid, machine_name, fingerprint) do update
      set last_seen_at = greatest(identity.last_seen_at, excluded.last_seen_at)
  ),
  logged as (
    insert into counting.activation_log
      (activation_id, occurred_at, gateway_id, remote_address, application, edition, cmid, previous_cmid,
       machine_class, machine_name, fingerprint, licence_status, client_version,
       code, count, threshold, first_seen, cloned)
    select activation_id, batch_at, gateway, remote_address, application, edition, cmid, previous_cmid,
           machine_class, machine_name, fingerprint, licence_status, client_version,
           code, decided.count, threshold, first_seen, cloned
    from decided
    order by ordinal
    returning id
  ),
  timed as (
    insert into counting.log_time (began_at, first_id)
    select date_bin('10 minutes', batch_at, 'epoch'), min(id)
    from logged
    on conflict (began_at) do nothing
  )
  select decided.activation_id, decided.code, decided.count
  from decided
  order by decided.ordinal;
end
$$;
