import type { AddressedEvent } from '@muster/events';
import type { LogRow } from './rows.ts';

/**
 * The event that a log row stands for (DESIGN 6): `activation.granted` or `activation.refused`.
 *
 * Its id is the activation id, so that publishing a row again is recognised by whoever receives it.
 *
 * @param hostId UUID of the host, which names the source.
 */
export function activationEvent(row: LogRow, hostId: string): AddressedEvent {
  const event = row.code === 'GRANTED' ? 'granted' : 'refused';
  return {
    subject: `muster.v1.activation.${event}.${row.application}.${row.edition}`,
    event: {
      specversion: '1.0',
      id: row.activation_id,
      source: `/muster/${hostId}/counting`,
      type: `io.muster.activation.${event}.v1`,
      subject: `${row.application}/${row.edition}`,
      time: new Date(row.occurred_at).toISOString(),
      datacontenttype: 'application/json',
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
