import type { CarriedTable } from '@muster/database';
import { makeMonthsOf } from './import.ts';

/**
 * The tables that make up what counting knows, in the order in which they are carried to another database. Everything
 * that lasts: what other tables of the schema hold belongs to processes that run.
 *
 * @param withoutLog leaves out the log rows that every consumer has had. Counts come from the machines; rows that still
 * wait to be published are carried in any case, so that no event is lost.
 */
export function countingTables({ withoutLog }: { readonly withoutLog: boolean }): readonly CarriedTable[] {
  const waiting = 'id > (select coalesce(min(last_id), 0) from counting.outbox_cursor)';
  return [
    { name: 'counting.outbox_cursor', orderBy: 'consumer' },
    { name: 'counting.machine', orderBy: 'application, cmid' },
    { name: 'counting.machine_identity', orderBy: 'application, cmid, machine_name, fingerprint' },
    { name: 'counting.log_time', orderBy: 'began_at' },
    {
      name: 'counting.activation_log',
      orderBy: 'id',
      beforeInsert: makeMonthsOf,
      ...(withoutLog ? { where: waiting } : {}),
    },
  ];
}
