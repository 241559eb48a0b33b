import { classifyFirstBytes, type ForeignProtocol } from './foreign-protocol.ts';
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

/** What one step of reading brought: at most one frame, or the problem that broke the stream. */
export interface FrameStep {
  /** The position behind the last byte that was read. */
  readonly end: number;
  readonly frame?: Frame;
  readonly problem?: FrameProblem;
}

// First bytes that versions to come would have. A later Muster, not a stranger.
const latestThinkableVersion = 4;
const none = new Uint8Array();

/**
 * Cuts a byte stream into frames (DESIGN 5), whichever way it arrives in chunks. Every header byte is judged when it
 * arrives, so a stranger is known by its first bytes. Holds at most one frame's bytes; a frame that lies within one
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
    for (let position = 0; position < chunk.length; ) {
      const { end, frame, problem } = this.read(chunk, position);
      if (frame !== undefined) frames.push(frame);
      if (problem !== undefined) return { frames, problem };
      position = end;
    }
    return { frames };
  }

  /**
   * Reads on from a position of a chunk, to the end of the first frame that is complete or of the chunk. For a reader
   * that takes one frame after the other, when it has room for it. Never throws; after a problem it skips what it gets.
   */
  read(chunk: Uint8Array, from: number): FrameStep {
    let position = from;
    while (position < chunk.length && !this.#broken) {
      if (this.#headerBytes < frameHeaderBytes) {
        this.#header[this.#headerBytes] = chunk[position] ?? 0;
        this.#headerBytes += 1;
        position += 1;
        const problem = this.#judgeHeader();
        if (problem !== undefined) {
          this.#break();
          return { end: position, problem };
        }
        if (this.#headerBytes < frameHeaderBytes) continue;
        const length = this.#payloadLength();
        if (chunk.length - position >= length) {
          return { end: position + length, frame: this.#complete(chunk.subarray(position, position + length)) };
        }
        this.#payload = new Uint8Array(length);
      }
      const { bytes, frame } = this.#fill(chunk, position);
      position += bytes;
      if (frame !== undefined) return { end: position, frame };
    }
    return { end: chunk.length };
  }

  /** Copies what belongs to the frame that has begun: how many bytes that was, and the frame when it is complete. */
  #fill(chunk: Uint8Array, position: number): { readonly bytes: number; readonly frame?: Frame } {
    const payload = this.#payload ?? none;
    const part = chunk.subarray(position, position + payload.length - this.#payloadBytes);
    payload.set(part, this.#payloadBytes);
    this.#payloadBytes += part.length;
    if (this.#payloadBytes < payload.length) return { bytes: part.length };
    return { bytes: part.length, frame: this.#complete(payload) };
  }

  /** Judges the header byte that arrived last. */
  #judgeHeader(): FrameProblem | undefined {
    const [version = 0, type = 0] = this.#header;
    if (version !== protocolVersion) return this.#judgeStranger(version);
    switch (this.#headerBytes) {
      case 1:
        this.#greeted = true;
        return undefined;
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

  /** Undefined while the bytes are too few to tell who it is. */
  #judgeStranger(version: number): FrameProblem | undefined {
    // Whoever has sent one frame of ours speaks Muster, whatever comes next.
    if (this.#greeted || (version > protocolVersion && version <= latestThinkableVersion)) {
      return { kind: 'unsupported-version', version };
    }
    const protocol = classifyFirstBytes(this.#header.subarray(0, this.#headerBytes));
    return protocol === undefined ? undefined : { kind: 'foreign-protocol', protocol };
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
