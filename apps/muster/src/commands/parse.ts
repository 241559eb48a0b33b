import { InvalidArgumentError } from '@commander-js/extra-typings';

/** A TCP port, 0 to 65,535. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (/^\d{1,5}$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('A port is a number from 0 to 65535.');
}

/** A whole number from 1 to `most`. */
export function parseCount(most: number): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (/^\d{1,9}$/.test(text) && count >= 1 && count <= most) return count;
    throw new InvalidArgumentError(`It is a number from 1 to ${most}.`);
  };
}

/** A number of connections or requests; 0 stands for no limit. */
export function parseConnections(text: string): number {
  return text === '0' ? 0 : parseCount(1_000_000)(text);
}

/** A number of months; 0 stands for ever. */
export function parseMonths(text: string): number {
  return text === '0' ? 0 : parseCount(1_200)(text);
}

/** Milliseconds since 1970 of an ISO 8601 date (midnight UTC) or time. */
export function parseTime(text: string): number {
  const time = Date.parse(text);
  if (/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?$/.test(text) && !Number.isNaN(time)) {
    return time;
  }
  throw new InvalidArgumentError('A time is YYYY-MM-DD, or YYYY-MM-DDTHH:MM:SS with Z or an offset.');
}

/** Where a host listens. */
export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `[ipv6]:port`, or a host alone for port 1688. */
export function parseHost(text: string): HostAndPort {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]\s]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? 1688 : Number(match[3]);
  if (host !== undefined && port >= 1 && port <= 65_535) return { host, port };
  throw new InvalidArgumentError('A host is NAME:PORT, ADDRESS:PORT or [IPV6]:PORT, and the port is 1 to 65535.');
}

/** Adds a value to those that an option was given before. */
export function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}
