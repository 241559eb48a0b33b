import type { MakReply, WireResultCodeName } from '@muster/wire-codec';

/** Why a gateway closed a connection, did not take it, or answered a request RATE_LIMITED. */
export type LimitName =
  | 'connections'
  | 'connections-per-address'
  | 'connection-rate'
  | 'request-rate'
  | 'proxy-header'
  | 'input-buffer'
  | 'first-byte'
  | 'frame-time'
  | 'idle'
  | 'write-stall'
  | 'in-flight';

/** What a gateway has seen since it started. Counters only grow. */
export class GatewayStatistics {
  connectionsAccepted = 0;
  requests = 0;
  makRequests = 0;
  readonly results = new Map<WireResultCodeName, number>();
  /** Of MAK replies; errors stand among the results. */
  readonly makResults = new Map<MakReply['code'], number>();
  readonly foreignProtocols = new Map<string, number>();
  readonly limits = new Map<LimitName, number>();
}

/** Adds one to a counter of a family. */
export function increment<Name>(counters: Map<Name, number>, name: Name): void {
  counters.set(name, (counters.get(name) ?? 0) + 1);
}
