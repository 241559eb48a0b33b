import { readFileSync } from 'node:fs';

/** What a gateway allows (DESIGN 4.3 and 5). Durations are milliseconds of the monotonic clock. */
export interface GatewayLimits {
  /** From the connection to its first byte. */
  readonly firstByteMs: number;
  /** From the first byte of a frame to its last: a byte a second resets no timer here. */
  readonly frameMs: number;
  /** Without a frame in either direction. */
  readonly idleMs: number;
  /** From a full write buffer until it has drained: for a peer that does not read. */
  readonly writeStallMs: number;
  /** From the end of our side of a connection to the peer's. */
  readonly closingMs: number;
  /** Requests of one connection that wait for their answer; more are not read. */
  readonly inFlightPerConnection: number;
  /** Requests of all connections that wait; more are answered RATE_LIMITED. */
  readonly inFlight: number;
  /** Open connections in all; further ones are closed at once. */
  readonly connections: number;
  /** Open connections of one address, an IPv6 address being its /64; 0 for no limit. */
  readonly connectionsPerAddress: number;
  /**
   * New connections of one address in a second, five times as many at once; 0 for no limit. Further ones are closed at
   * once. See `ratesOnLoopback`.
   */
  readonly connectionRatePerAddress: number;
  /**
   * Requests of one address in a second, five times as many at once; 0 for no limit. Further ones are answered
   * RATE_LIMITED at the same rate, and beyond that its connections are not read until the next sweep. See
   * `ratesOnLoopback`.
   */
  readonly requestRatePerAddress: number;
  /**
   * Whether the two rates hold for 127.0.0.0/8 and ::1 too. They do not by default: a program on this machine can take
   * its processor without any connection, `muster fleet run` against one's own site should run at full speed, and behind
   * a proxy on this machine without PROXY protocol all clients are one address.
   */
  readonly ratesOnLoopback: boolean;
  /** Bytes of input that a connection may hold while its requests wait. */
  readonly inputBytes: number;
  /** Bytes of input that all connections together may hold beyond that. */
  readonly sharedInputBytes: number;
  /** From taking a request to counting's answer; then it is answered UNAVAILABLE: within a second, with the sweep. */
  readonly countingMs: number;
  /** MAK requests of all connections that wait for the authority; more are answered RATE_LIMITED. */
  readonly makInFlight: number;
  /** From taking a MAK request to the authority's answer; then it is answered UNAVAILABLE. */
  readonly authorityMs: number;
  /** Most requests of one batch, 1 to 256. */
  readonly batchRequests: number;
  /** Streams to counting, each with one batch under way at most. They are spread over the replicas. */
  readonly countingLanes: number;
  /** How long a draining gateway waits for silence on a connection before it says that it will answer no more. */
  readonly drainQuietMs: number;
  /** After this a draining gateway closes what is left. */
  readonly drainMs: number;
}

/** The limits that are in force unless they are set otherwise. */
export const defaultLimits: GatewayLimits = {
  firstByteMs: 10_000,
  frameMs: 5_000,
  idleMs: 300_000,
  writeStallMs: 10_000,
  closingMs: 1_000,
  inFlightPerConnection: 64,
  inFlight: 8_192,
  connections: affordableConnections(),
  connectionsPerAddress: 1_000,
  connectionRatePerAddress: 200,
  requestRatePerAddress: 100,
  ratesOnLoopback: false,
  inputBytes: 8_192,
  sharedInputBytes: 16_777_216,
  countingMs: 900,
  makInFlight: 256,
  authorityMs: 8_000,
  batchRequests: 256,
  countingLanes: 4,
  drainQuietMs: 200,
  drainMs: 20_000,
};

/** Nine tenths of the descriptors that the process may open, at most 60,000. */
function affordableConnections(): number {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? 10_000 : Math.min(60_000, Math.floor(Number(soft) * 0.9));
  } catch {
    return 10_000; // no Linux
  }
}
