import { ipv6Text, plainAddress } from './addresses.ts';
import { crc32c } from './crc32c.ts';

/** What the bytes at the beginning of a proxy's connection are. */
export type ProxyHeaderRead =
  /** All of it is right so far, and more must come. */
  | { readonly kind: 'incomplete' }
  /** A whole header. Without a client, the connection's own address counts: the proxy speaks for itself or cannot say. */
  | { readonly kind: 'header'; readonly bytes: number; readonly client?: string }
  /** No header can begin like this. `problem` says why, as part of a sentence. */
  | { readonly kind: 'malformed'; readonly problem: string };

/** Longest header that is taken: what the specification promises to fit one packet of the smallest MSS. */
export const maximumProxyHeaderBytes = 536;

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
const notVersion2 = 'it does not begin with the signature of version 2, and version 1 is not supported';
/** Signature, version and command, family and protocol, length of the rest. */
const fixedBytes = 16;
const commands = { local: 0, proxy: 1 } as const;
const [inet, inet6, unix] = [1, 2, 3];
const [stream, datagram] = [1, 2];
/** Both addresses and both ports, or both paths. */
const addressBytes = new Map([
  [inet, 12],
  [inet6, 36],
  [unix, 216],
]);
/** PP2_TYPE_CRC32C */
const checksumType = 3;
const checksumBytes = 4;

const incomplete: ProxyHeaderRead = { kind: 'incomplete' };

/**
 * Reads a PROXY protocol header, version 2 (HAProxy, proxy-protocol.txt, section 2.2): LOCAL and PROXY, TCP over IPv4
 * and IPv6; every other valid combination falls back to UNSPEC, as the specification wants. TLVs are skipped, but for a
 * CRC32C, which must be right. Version 1, the text form, is not supported. Never throws.
 *
 * @param bytes all that has arrived, from the first byte on. Every byte is judged as soon as it is there.
 */
export function readProxyHeader(bytes: Uint8Array): ProxyHeaderRead {
  const begun = Math.min(bytes.length, signature.length);
  if (signature.compare(bytes, 0, begun, 0, begun) !== 0) return malformed(notVersion2);
  const [versionAndCommand, familyAndProtocol, high, low] = bytes.subarray(signature.length, fixedBytes);
  if (versionAndCommand === undefined) return incomplete;
  const command = versionAndCommand & 0x0f;
  if (versionAndCommand >> 4 !== 2) return malformed(`its version is ${versionAndCommand >> 4}`);
  if (command > commands.proxy) return malformed(`its command is ${command}`);
  if (familyAndProtocol === undefined) return incomplete;
  const [family, protocol] = [familyAndProtocol >> 4, familyAndProtocol & 0x0f];
  const isLocal = command === commands.local;
  if (!isLocal && family > unix) return malformed(`its address family is ${family}`);
  if (!isLocal && protocol > datagram) return malformed(`its transport protocol is ${protocol}`);
  if (high === undefined || low === undefined) return incomplete;
  const end = fixedBytes + high * 256 + low;
  if (end > maximumProxyHeaderBytes) return malformed(`it is ${end} bytes long`);
  const firstTlv = fixedBytes + (addressBytes.get(family) ?? 0);
  if (!isLocal && firstTlv > end) return malformed('it is too short for its addresses');
  if (bytes.length < end) return incomplete;
  // The block of a LOCAL command is thrown away unread.
  if (isLocal) return { kind: 'header', bytes: end };
  const header = bytes.subarray(0, end);
  // Without a family nobody says where addresses end and TLVs begin.
  const problem = family === 0 ? undefined : tlvProblem(header, firstTlv);
  if (problem !== undefined) return malformed(problem);
  const client = protocol === stream ? clientAddress(header, family) : undefined;
  return { kind: 'header', bytes: end, ...(client === undefined ? {} : { client }) };
}

function malformed(problem: string): ProxyHeaderRead {
  return { kind: 'malformed', problem };
}

/** The client's address as text, in the canonical form; undefined for a family that has none. */
function clientAddress(header: Uint8Array, family: number): string | undefined {
  if (family === inet) return header.subarray(fixedBytes, fixedBytes + 4).join('.');
  return family === inet6 ? plainAddress(ipv6Text(header.subarray(fixedBytes, fixedBytes + 16))) : undefined;
}

/** Walks the type-length-value fields; says what is wrong with them. */
function tlvProblem(header: Uint8Array, first: number): string | undefined {
  let checksumAt: number | undefined;
  for (let position = first; position < header.length; ) {
    const [type, high, low] = header.subarray(position, position + 3);
    if (high === undefined || low === undefined) return 'a field of it is cut off';
    const value = position + 3;
    position = value + high * 256 + low;
    if (position > header.length) return 'a field of it is longer than the rest';
    if (type !== checksumType) continue;
    if (position - value !== checksumBytes || checksumAt !== undefined) return 'its checksum is not one of 4 bytes';
    checksumAt = value;
  }
  return checksumAt === undefined || checksumIsRight(header, checksumAt) ? undefined : 'its checksum is wrong';
}

/** The checksum is taken over the whole header with zeros in its own place. */
function checksumIsRight(header: Uint8Array, at: number): boolean {
  const zeroed = Buffer.from(header);
  const sent = zeroed.readUInt32BE(at);
  zeroed.fill(0, at, at + checksumBytes);
  return crc32c(zeroed) === sent;
}
