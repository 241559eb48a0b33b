-- One batch of activation requests, counted, judged and logged (DESIGN 2.2 and 4.1).
--
-- The lock comes first, so that batches follow each other: ids of the log then rise in the order of commit, and a relay
-- that reads "id > cursor" loses nothing. The query after it takes its snapshot under the lock, sees every earlier batch
-- whole, and is one statement: all of the batch is committed or nothing.
--
-- Arrays run in parallel, one entry a request, in the order of arrival. refusals holds a result code where the gateway
-- has refused already, otherwise ''. Empty names and fingerprints are withheld or unknown ones.
--
-- Sequential scans are off and the plan is kept: a plan made on a young, small table must not scan a grown one, and an
-- embedded database has no autovacuum to tell it.
create function counting.count_batch(
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
  )
  select decided.activation_id, decided.code, decided.count
  from decided
  order by decided.ordinal;
end
$$;
