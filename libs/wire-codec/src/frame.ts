/** The version of the protocol, and so the first byte of every frame (DESIGN 5). */
export const protocolVersion = 1;

/** Bytes before the payload: version, type, payload length (big-endian). */
export const frameHeaderBytes = 4;

/** What a frame carries: its second byte (DESIGN 5). */
export const FrameType = {
  activationRequest: 1,
  activationReply: 2,
  makRequest: 3,
  makReply: 4,
  errorReply: 5,
  ping: 6,
  pong: 7,
} as const;

export type FrameType = (typeof FrameType)[keyof typeof FrameType];

/** One frame: its type and its payload, an encoded message of activation.proto. */
export interface Frame {
  readonly type: FrameType;
  readonly payload: Uint8Array;
}

const largestType = FrameType.pong;

/** Whether a byte is a frame type of version 1. */
export function isFrameType(byte: number): byte is FrameType {
  return byte >= 1 && byte <= largestType;
}

/**
 * A frame's bytes: `version | type | length, big-endian | payload`, in one allocation (DESIGN 5).
 * Throws RangeError for a payload beyond 65,535 bytes, which no message of ours comes near.
 */
export function encodeFrame(type: FrameType, payload: Uint8Array): Uint8Array {
  if (payload.length > 0xffff) throw new RangeError(`a frame cannot carry ${payload.length} bytes`);
  const frame = new Uint8Array(frameHeaderBytes + payload.length);
  frame[0] = protocolVersion;
  frame[1] = type;
  frame[2] = payload.length >> 8;
  frame[3] = payload.length & 0xff;
  frame.set(payload, frameHeaderBytes);
  return frame;
}
