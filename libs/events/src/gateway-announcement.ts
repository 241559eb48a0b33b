/** What a gateway tells everybody again and again while it lives, and once when it goes. */
export interface GatewayAnnouncement {
  /** Letters, digits, `-` and `_`, at most 64. */
  readonly gatewayId: string;
  readonly state: 'alive' | 'goodbye';
  /** Host name or address that clients reach it by. */
  readonly address: string;
  readonly port: number;
  /** Connections that are open. */
  readonly connections: number;
  /** When it was said: RFC 3339, UTC. */
  readonly at: string;
}

/** Where every gateway announces itself. Core NATS: no stream keeps it. */
export const gatewayAnnouncements = 'muster.announce.v1.gateway.*';

/**
 * The subject of one gateway's announcements.
 *
 * @throws Error when the id is no token of a subject: settings are checked before.
 */
export function announcementSubject(gatewayId: string): string {
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(gatewayId)) {
    throw new Error(`a gateway cannot announce itself as ${JSON.stringify(gatewayId)}`);
  }
  return gatewayAnnouncements.replace('*', gatewayId);
}

/** The announcement in a message; undefined when it is none. */
export function parseAnnouncement(data: Uint8Array): GatewayAnnouncement | undefined {
  let value: Partial<GatewayAnnouncement> | null;
  try {
    value = JSON.parse(Buffer.from(data).toString());
  } catch {
    return undefined;
  }
  if (value === null || typeof value !== 'object') return undefined;
  const { gatewayId, state, address, port, connections, at } = value;
  const wellFormed =
    typeof gatewayId === 'string' &&
    (state === 'alive' || state === 'goodbye') &&
    typeof address === 'string' &&
    Number.isInteger(port) &&
    Number.isInteger(connections) &&
    typeof at === 'string';
  return wellFormed
    ? { gatewayId, state, address, port: port as number, connections: connections as number, at }
    : undefined;
}
