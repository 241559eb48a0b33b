import { BlockList, isIP, isIPv6, SocketAddress } from 'node:net';

/** A range of addresses: those whose first `prefix` bits are those of `address`. */
export interface AddressRange {
  readonly address: string;
  readonly family: 'ipv4' | 'ipv6';
  /** 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly prefix: number;
}

/**
 * Reads a range in CIDR form (RFC 4632, RFC 4291), such as `10.0.0.0/8` or `2001:db8::/32`; an address alone is a range
 * of one.
 *
 * @returns undefined when the text is no such range.
 */
export function parseAddressRange(text: string): AddressRange | undefined {
  const [address = '', length, ...more] = text.split('/');
  const version = isIP(address);
  if (version === 0 || address.includes('%') || more.length > 0) return undefined;
  const bits = version === 4 ? 32 : 128;
  const prefix = length === undefined ? bits : Number(length);
  if (length !== undefined && (!/^\d{1,3}$/.test(length) || prefix > bits)) return undefined;
  return { address, family: version === 4 ? 'ipv4' : 'ipv6', prefix };
}

/** Addresses that are in one of some ranges. */
export class AddressRanges {
  readonly #list = new BlockList();
  readonly #empty: boolean;

  constructor(ranges: readonly AddressRange[]) {
    this.#empty = ranges.length === 0;
    for (const { address, prefix, family } of ranges) this.#list.addSubnet(address, prefix, family);
  }

  /** @param address as `plainAddress` gives it. */
  includes(address: string): boolean {
    return !this.#empty && this.#list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }
}

/** An IPv4 peer of a socket that listens for both families is named by its IPv4 address. */
export function plainAddress(address = ''): string {
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
}

/** Whether an address is one of the machine itself: 127.0.0.0/8 or ::1. */
export function isLoopback(address: string): boolean {
  return address.startsWith('127.') || address === '::1';
}

/**
 * Under which name an address is counted. An IPv6 address is counted by its /64: that much the smallest site is given,
 * and whoever has one has all of its addresses. Not so link-local ones, which all machines of a network share, and
 * IPv4, which are counted each.
 *
 * @param address in canonical form (RFC 5952), as sockets give it.
 */
export function countedAddress(address: string): string {
  if (!address.includes(':') || /^fe[89ab]/.test(address)) return address;
  const [front = '', back] = address.split('::');
  const groups = front === '' ? [] : front.split(':');
  if (back !== undefined) {
    const behind = back === '' ? 0 : back.split(':').length + (back.includes('.') ? 1 : 0);
    while (groups.length < 8 - behind && groups.length < 4) groups.push('0');
    groups.push(...back.split(':'));
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}

/** An IPv6 address of 16 bytes as text, in canonical form. */
export function ipv6Text(bytes: Uint8Array): string {
  const groups = Buffer.from(bytes).toString('hex').match(/.{4}/g) ?? [];
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}
