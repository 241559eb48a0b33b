import { classifyFirstByte, type ForeignProtocol } from './foreign-protocol.ts';
import { type Frame, frameHeaderBytes, isFrameType, protocolVersion } from './frame.ts';

/** Why a stream cannot be read any further. Always final. */
export type FrameProblem =
  | { readonly kind: 'unsupported-version'; readonly version: number }
  | { readonly kind: 'unknown-type'; readonly type: number }
  | { readonly kind: 'payload-too-large'; readonly length: number; readonly maximum: number }
  | { readonly kind: 'foreign-protocol'; readonly protocol: ForeignProtocol };

/** What one chunk brought: the frames that are complete now, and the problem if the stream broke behind them. */
export interface FramesRead {
  readonly frames: readonly Frame[];
  readonly problem?: FrameProblem;
}

// First bytes that versions to come would have. A later Muster, not a stranger.
const latestThinkableVersion = 4;

/**
 * Cuts a byte stream into frames (DESIGN 5), whichever way it arrives in chunks. Every header byte is judged when it
 * arrives, so a stranger is known by its first byte. Holds at most one frame's bytes; a frame that lies within one
 * chunk is not copied: its payload is a view of the chunk, so do not reuse the chunk's memory while frames are in use.
 *
 * @example
 * const reader = new FrameReader(maximumRequestPayloadBytes);
 * socket.on('data', (chunk) => {
 *   const { frames, problem } = reader.push(chunk);
 * });
 */
export class FrameReader {
  readonly #maximumPayloadBytes: number;
  readonly #header = new Uint8Array(frameHeaderBytes);
  #headerBytes = 0;
  #payload: Uint8Array | undefined;
  #payloadBytes = 0;
  #greeted = false;
  #broken = false;

  constructor(maximumPayloadBytes: number) {
    this.#maximumPayloadBytes = maximumPayloadBytes;
  }

  /** Whether a frame has begun and is not complete: the time to complete it runs. */
  get hasPartialFrame(): boolean {
    return this.#headerBytes > 0;
  }

  /** Takes the next bytes. After a problem it returns no frames and no second problem. Never throws. */
  push(chunk: Uint8Array): FramesRead {
    const frames: Frame[] = [];
    let position = 0;
    while (position < chunk.length && !this.#broken) {
      if (this.#headerBytes < frameHeaderBytes) {
        this.#header[this.#headerBytes] = chunk[position] ?? 0;
        this.#headerBytes += 1;
        position += 1;
        const problem = this.#judgeHeader();
        if (problem !== undefined) {
          this.#break();
          return { frames, problem };
        }
        if (this.#headerBytes < frameHeaderBytes) continue;
        const length = this.#payloadLength();
        if (chunk.length - position >= length) {
          frames.push(this.#complete(chunk.subarray(position, position + length)));
          position += length;
          continue;
        }
        this.#payload = new Uint8Array(length);
      }
      position += this.#fill(chunk, position, frames);
    }
    return { frames };
  }

  /** Copies what belongs to the frame that has begun; returns how many bytes that was. */
  #fill(chunk: Uint8Array, position: number, frames: Frame[]): number {
    const payload = this.#payload ?? new Uint8Array();
    const part = chunk.subarray(position, position + payload.length - this.#payloadBytes);
    payload.set(part, this.#payloadBytes);
    this.#payloadBytes += part.length;
    if (this.#payloadBytes === payload.length) frames.push(this.#complete(payload));
    return part.length;
  }

  /** Judges the header byte that arrived last. */
  #judgeHeader(): FrameProblem | undefined {
    const [version = 0, type = 0] = this.#header;
    switch (this.#headerBytes) {
      case 1:
        return this.#judgeVersion(version);
      case 2:
        return isFrameType(type) ? undefined : { kind: 'unknown-type', type };
      case frameHeaderBytes: {
        const length = this.#payloadLength();
        const maximum = this.#maximumPayloadBytes;
        return length <= maximum ? undefined : { kind: 'payload-too-large', length, maximum };
      }
      default:
        return undefined;
    }
  }

  #judgeVersion(version: number): FrameProblem | undefined {
    if (version === protocolVersion) {
      this.#greeted = true;
      return undefined;
    }
    // Whoever has sent one frame of ours speaks Muster, whatever comes next.
    if (this.#greeted || (version > protocolVersion && version <= latestThinkableVersion)) {
      return { kind: 'unsupported-version', version };
    }
    return { kind: 'foreign-protocol', protocol: classifyFirstByte(version) };
  }

  #payloadLength(): number {
    const [, , high = 0, low = 0] = this.#header;
    return high * 256 + low;
  }

  #complete(payload: Uint8Array): Frame {
    const type = this.#header[1] ?? 0;
    this.#headerBytes = 0;
    this.#payload = undefined;
    this.#payloadBytes = 0;
    // #judgeHeader has refused everything else.
    return { type: type as Frame['type'], payload };
  }

  #break(): void {
    this.#broken = true;
    this.#headerBytes = 0;
    this.#payload = undefined;
    this.#payloadBytes = 0;
  }
}
