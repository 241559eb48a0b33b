-- The activation log by month, step 2 of 3: what takes long, and hinders neither batches nor readers.
set local lock_timeout = '5s';

with later as (
  delete from only counting.activation_log
  where occurred_at >= (select bound from counting.log_partitioning)
  returning *
)
insert into counting.activation_log_default select * from later;

alter table counting.activation_log validate constraint activation_log_bound;

with time as materialized (
  select date_bin('10 minutes', occurred_at, 'epoch') as began_at, min(id) as first_id, max(id) as last_id
  from counting.activation_log
  group by began_at
),
timed as (
  insert into counting.log_time (began_at, first_id) select began_at, first_id from time
)
update counting.log_partitioning set timed_id = (select coalesce(max(last_id), 0) from time);
