import { type ErrorReply, encodeErrorReply, encodeFrame, encodePing, encodePong, FrameType } from '../src/index.ts';
import { request } from './fixtures.ts';
import { hex, withHex } from './hex.ts';

const ping = encodeFrame(FrameType.ping, encodePing(Uint8Array.of(1, 2, 3, 4)));
const emptyPing = encodeFrame(FrameType.ping, encodePing(new Uint8Array()));

/** Streams with the frames and the problem that a gateway (limit 4,096 bytes) finds in them. */
export function frameVectors() {
  const header = (...bytes: readonly number[]) => Uint8Array.from(bytes);
  const tooLarge = encodeFrame(FrameType.activationRequest, new Uint8Array(4097)).subarray(0, 4);
  return {
    maximumPayloadBytes: 4096,
    streams: [
      stream('a ping', [ping], 1),
      stream('an empty ping', [emptyPing], 1),
      stream('two pings and the beginning of a third', [ping, emptyPing, ping.subarray(0, 3)], 2),
      stream('a payload beyond the limit', [ping, tooLarge], 1, {
        kind: 'payload-too-large',
        length: 4097,
        maximum: 4096,
      }),
      stream('an unknown type', [header(1, 8, 0, 0)], 0, { kind: 'unknown-type', type: 8 }),
      stream('a later version', [header(2, 1, 0, 0)], 0, { kind: 'unsupported-version', version: 2 }),
      stream('TLS after a frame', [ping, header(0x16, 3, 1)], 1, { kind: 'unsupported-version', version: 22 }),
      foreign('a DCE/RPC bind', 'dce-rpc', header(5, 0, 0x0b, 3, 0x10, 0, 0, 0)),
      foreign('a TLS client hello', 'tls', header(0x16, 3, 1, 2)),
      foreign('SMB', 'smb', header(0, 0, 0, 0x2f, 0xff)),
      foreign('PROXY protocol 2', 'proxy-protocol', header(0x0d, 0x0a, 0x0d, 0x0a, 0)),
      foreign('SSH', 'ssh', Buffer.from('SSH-2.0-')),
      foreign('HTTP', 'http', Buffer.from('GET / HTTP/1.1\r\n')),
      foreign('something else', 'unknown', header(0xff)),
    ],
  };
}

/** Frames that carry error replies, pings and pongs. */
export function errorVectors() {
  const errors: readonly ErrorReply[] = [
    { code: 'UNSUPPORTED_VERSION', message: 'Version 2 is not spoken here.', remedy: 'Use version 1.' },
    {
      code: 'MALFORMED_REQUEST',
      message: 'cmid is all zero.',
      remedy: 'Make a random UUID once.',
      nonce: request.nonce,
    },
    {
      code: 'UNAVAILABLE',
      message: 'The database is away.',
      remedy: 'Ask later.',
      nonce: request.nonce,
      retryAfterMs: 1500,
    },
  ];
  return {
    errorReplies: errors.map((error) => ({
      frame: hex(encodeFrame(FrameType.errorReply, encodeErrorReply(error))),
      fields: withHex(error),
    })),
    pings: [
      {
        payload: '01020304',
        ping: hex(ping),
        pong: hex(encodeFrame(FrameType.pong, encodePong(Uint8Array.of(1, 2, 3, 4)))),
      },
    ],
  };
}

function stream(name: string, parts: readonly Uint8Array[], whole: number, problem?: object) {
  const frames = parts.slice(0, whole).map((part) => ({ type: part[1], payload: hex(part.subarray(4)) }));
  return { name, stream: hex(Buffer.concat(parts)), frames, ...(problem === undefined ? {} : { problem }) };
}

function foreign(name: string, protocol: string, bytes: Uint8Array) {
  return stream(name, [bytes], 0, { kind: 'foreign-protocol', protocol });
}
