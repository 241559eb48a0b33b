import type { WireResultCodeName } from '@muster/wire-codec';

/** Why a gateway closed a connection, or did not take it. */
export type LimitName =
  | 'connections'
  | 'connections-per-address'
  | 'first-byte'
  | 'frame-time'
  | 'idle'
  | 'write-stall'
  | 'in-flight';

/** What a gateway has seen since it started. Counters only grow. */
export class GatewayStatistics {
  connectionsAccepted = 0;
  requests = 0;
  readonly results = new Map<WireResultCodeName, number>();
  readonly foreignProtocols = new Map<string, number>();
  readonly limits = new Map<LimitName, number>();
}

/** Adds one to a counter of a family. */
export function increment<Name>(counters: Map<Name, number>, name: Name): void {
  counters.set(name, (counters.get(name) ?? 0) + 1);
}
