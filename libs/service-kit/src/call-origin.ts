import { isIPv6 } from 'node:net';
import type { Role } from '@muster/contracts/methods';

/**
 * Who calls and from where: the second argument that an implementation gets for every call over gRPC. Direct calls
 * within a process may leave it out.
 */
export interface CallOrigin {
  /** The role of the caller's certificate; undefined where callers show none. */
  readonly role: Role | undefined;
  /** The IP address of the peer; empty on a Unix socket. */
  readonly address: string;
}

/** The IP address in what gRPC names a peer by: `address:port`, or `unknown` on a Unix socket. */
export function addressOfPeer(peer: string): string {
  // An IPv6 address stands there without brackets; a port is always behind it when the peer came over TCP.
  const address = peer.replace(/:\d+$/, '');
  const plain = /^::ffff:(\d+(?:\.\d+){3})$/i.exec(address)?.[1] ?? address;
  return isIPv6(plain) || /^\d+(\.\d+){3}$/.test(plain) ? plain : '';
}
