import { type AddressedEvent, toSequence } from '@muster/events';
import { isIdentifier } from '@muster/product-groups';
import type { LogRow } from './rows.ts';

/**
 * The event that a log row stands for (DESIGN 6): `activation.granted` or `activation.refused`.
 *
 * Its id is the activation id, so that publishing a row again is recognised by whoever receives it; its `sequence` is the
 * id of the row.
 *
 * @param hostId UUID of the host, which names the source.
 */
export function activationEvent(row: LogRow, hostId: string): AddressedEvent {
  const event = row.code === 'GRANTED' ? 'granted' : 'refused';
  return {
    subject: `muster.v1.activation.${event}.${token(row.application)}.${token(row.edition)}`,
    event: {
      specversion: '1.0',
      id: row.activation_id,
      source: `/muster/${hostId}/counting`,
      type: `io.muster.activation.${event}.v1`,
      subject: `${row.application}/${row.edition}`,
      time: new Date(row.occurred_at).toISOString(),
      datacontenttype: 'application/json',
      sequence: toSequence(row.id),
      data: {
        code: row.code,
        application: row.application,
        edition: row.edition,
        cmid: row.cmid,
        previousCmid: row.previous_cmid,
        machineClass: row.machine_class,
        machineName: row.machine_name,
        licenceStatus: row.licence_status,
        clientVersion: row.client_version,
        remoteAddress: row.remote_address,
        gatewayId: row.gateway_id,
        count: row.count,
        threshold: row.threshold,
        firstSeen: row.first_seen,
        cloned: row.cloned,
      },
    },
  };
}

/** What is no identifier never gets into a subject, where dots and wildcards have a meaning. */
function token(id: string): string {
  return isIdentifier(id) ? id : '_';
}
