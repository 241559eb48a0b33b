-- The activation log by month, step 1 of 3: a bound for what it holds now.
--
-- The log of before becomes one partition that ends at a month to come, so nothing may lie beyond that month. Rows that do
-- (a clock may have jumped to 2038) are kept in a table apart, which is to be the default partition. Until then it
-- inherits from the log: a release that reads the log by its old name finds them, in their order. Nothing fails and
-- nothing is hidden, however long it takes until the next step.
--
-- The lock of batches comes first, so that no batch waits while it holds the table; then the table, for a moment. The
-- weaker lock before both hinders nobody and makes a vacuum that runs by itself give way.
set local time zone 'UTC';
set local datestyle = 'ISO';
set local lock_timeout = '5s';
lock table only counting.activation_log in share update exclusive mode;
select pg_advisory_xact_lock(7310601958472);
set local lock_timeout = '100ms';
lock table counting.activation_log in access exclusive mode;

-- How far the steps have come. The last one removes it.
create table counting.log_partitioning as
  select date_trunc('month', now()) + interval '2 months' as bound, 0::bigint as timed_id;

create table counting.activation_log_default () inherits (counting.activation_log);
alter table counting.activation_log_default add primary key (id);

create function counting.keep_later_row() returns trigger language plpgsql as $$
begin
  insert into counting.activation_log_default values (new.*);
  return null;
end;
$$;

do $$
declare
  bound timestamptz := (select log_partitioning.bound from counting.log_partitioning);
begin
  execute format('create trigger keep_later_row before insert on counting.activation_log
                  for each row when (new.occurred_at >= %L) execute function counting.keep_later_row()', bound);
  execute format('alter table counting.activation_log
                  add constraint activation_log_bound check (occurred_at < %L) no inherit not valid', bound);
end;
$$;

-- Where a replay of the log since a time begins: the first row of every ten minutes of the clock. What is between the
-- row and the time is skipped by reading it. Clocks are set back, so this says more than the order of the ids alone.
create table counting.log_time (
  began_at timestamptz primary key,
  first_id bigint      not null -- no row of these ten minutes has a smaller id
);
