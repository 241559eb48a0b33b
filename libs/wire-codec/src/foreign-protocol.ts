/** Other protocols that find their way to the port, as their first bytes tell; for a metric (DESIGN 1). */
export const foreignProtocols = ['dce-rpc', 'tls', 'smb', 'proxy-protocol', 'ssh', 'http', 'unknown'] as const;

export type ForeignProtocol = (typeof foreignProtocols)[number];

// The first letters of GET, HEAD, DELETE, OPTIONS, CONNECT and TRACE; P is looked at more closely.
const httpLetters = new Set([...'GHDOCT'].map((letter) => letter.charCodeAt(0)));

/** Three letters tell PROXY protocol version 1 from PRI (HTTP/2 and gRPC), PUT, POST and PATCH. */
const [letterP, letterR, letterO] = [0x50, 0x52, 0x4f];

/**
 * Names the protocol of a connection by its first bytes, when the first one is no version of ours. One byte is enough
 * for most, three are for all. A guess, good for a metric.
 *
 * @param bytes what has arrived, at least one byte; what follows the third does not matter.
 * @returns undefined while more bytes are needed.
 */
export function classifyFirstBytes(bytes: Uint8Array): ForeignProtocol | undefined {
  const [first = 0, second, third] = bytes;
  if (first === letterP) {
    if (second === undefined || (second === letterR && third === undefined)) return undefined;
    return second === letterR && third === letterO ? 'proxy-protocol' : 'http';
  }
  if (httpLetters.has(first)) return 'http';
  switch (first) {
    case 0x05:
      return 'dce-rpc';
    case 0x16:
      return 'tls';
    case 0x00:
      return 'smb';
    case 0x0d:
      return 'proxy-protocol';
    case 0x53:
      return 'ssh';
    default:
      return 'unknown';
  }
}
