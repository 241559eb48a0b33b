import type { Statement } from '@muster/database';
import { monthName, startOfMonth } from './log-months.ts';

/** One keeper works at a time, until the end of its transaction. */
export const tryKeeperLock: Statement = {
  name: 'counting.keeper_lock',
  text: 'select pg_try_advisory_xact_lock(7310601958473) as taken',
};

/** The lock of `counting.count_batch`: no batch runs until the end of the transaction. */
export const lockBatches: Statement = {
  name: 'counting.keeper_lock_batches',
  text: 'select pg_advisory_xact_lock(7310601958472)',
};

/**
 * Limits of the transaction that makes or drops months: how long it waits for a lock ($1, `100ms`), and how long it may
 * stand idle ($2), since a process that is stopped or cut off from the database has to give its locks back; and how long a
 * statement may take ($3).
 */
export const limitsStatement: Statement = {
  name: 'counting.keeper_limits',
  text: `
    select set_config('lock_timeout', $1::text, true), set_config('idle_in_transaction_session_timeout', $2::text, true),
           set_config('statement_timeout', $3::text, true)`,
};

/** A partition cannot be dropped but under this lock. */
export const lockLog: Statement = {
  name: 'counting.keeper_lock_log',
  text: 'lock table only counting.activation_log in access exclusive mode',
};

/** The partitions that are bound to a time, the oldest first. */
export const partitionsStatement: Statement = {
  name: 'counting.log_partitions',
  text: `
    select name,
           substring(bound from 'FROM \\(''([^'']+)''\\)')::timestamptz as "beginsAt",
           substring(bound from 'TO \\(''([^'']+)''\\)')::timestamptz as "endsAt"
    from (select relname::text as name, pg_get_expr(relpartbound, pg_class.oid) as bound
          from pg_inherits
          join pg_class on pg_class.oid = inhrelid
          where inhparent = 'counting.activation_log'::regclass) as partition
    where bound <> 'DEFAULT'
    order by "endsAt"`,
};

/** The months of the rows that found no partition of theirs. */
export const strayMonthsStatement: Statement = {
  name: 'counting.log_stray_months',
  text: `select distinct date_trunc('month', occurred_at, 'UTC') as month from counting.activation_log_default`,
};

/** Every row up to this id has been published by every consumer. */
export const publishedStatement: Statement = {
  name: 'counting.log_published',
  text: 'select coalesce(min(last_id), 0) as id from counting.outbox_cursor',
};

/** Removes rows that found no partition and are older than the retention, by the order of their commit. */
export const deleteStrays: Statement = {
  name: 'counting.log_delete_strays',
  text: 'delete from counting.activation_log_default where id < $1::bigint',
};

/** The smallest and the largest id of a partition. */
export function partitionIds(name: string): Statement {
  return {
    name: `counting.ids_of_${name}`,
    text: `select min(id) as "firstId", max(id) as "lastId" from counting.${name}`,
  };
}

/** Makes the table of a month, not yet a partition. */
export function createMonth(month: number): Statement {
  return {
    name: `counting.create_${monthName(month)}`,
    text: `create table counting.${monthName(month)} (like counting.activation_log including defaults)`,
  };
}

/** The index that a partition needs: the relay and replays read by the id. */
export function indexMonth(month: number): Statement {
  return {
    name: `counting.index_${monthName(month)}`,
    text: `alter table counting.${monthName(month)} add primary key (id)`,
  };
}

/** Moves the rows of a month that the default partition holds to the table of the month. */
export function moveStrays(month: number, step: string): Statement {
  return {
    name: `counting.fill_${monthName(month)} ${step}`,
    text: `
      with stray as (
        delete from counting.activation_log_default
        where occurred_at >= ${instant(month)} and occurred_at < ${instant(startOfMonth(month, 1))}
        returning *
      )
      insert into counting.${monthName(month)} select * from stray`,
  };
}

/** Makes the table of a month a partition. */
export function attachMonth(month: number): Statement {
  return {
    name: `counting.attach_${monthName(month)}`,
    text: `
      alter table counting.activation_log attach partition counting.${monthName(month)}
      for values from (${instant(month)}) to (${instant(startOfMonth(month, 1))})`,
  };
}

/** Drops a partition with its rows. */
export function dropPartition(name: string): Statement {
  return { name: `counting.drop_${name}`, text: `drop table counting.${name}` };
}

function instant(timeMs: number): string {
  return `'${new Date(timeMs).toISOString()}'::timestamptz`;
}
