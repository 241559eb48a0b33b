/** Other protocols that find their way to the port, as their first byte tells; for a metric (DESIGN 1). */
export const foreignProtocols = ['dce-rpc', 'tls', 'smb', 'proxy-protocol', 'ssh', 'http', 'unknown'] as const;

export type ForeignProtocol = (typeof foreignProtocols)[number];

// The first letters of GET, PUT/POST/PATCH/PRI (HTTP/2), HEAD, DELETE, OPTIONS, CONNECT and TRACE.
const httpLetters = new Set([...'GPHDOCT'].map((letter) => letter.charCodeAt(0)));

/**
 * Names the protocol of a connection by its first byte, when that is no version of ours.
 * A guess by one byte: PROXY protocol version 1 begins with a letter and counts as `http`.
 */
export function classifyFirstByte(byte: number): ForeignProtocol {
  if (httpLetters.has(byte)) return 'http';
  switch (byte) {
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
