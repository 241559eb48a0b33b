import { connect, type Socket } from 'node:net';
import {
  type ActivationReply,
  type ErrorReply,
  encodeFrame,
  type Frame,
  FrameReader,
  FrameType,
  maximumReplyPayloadBytes,
  parseActivationReply,
  parseErrorReply,
} from '@muster/wire-codec';
import { atTheEnd, until } from './cleanup.ts';

export { frameOf, requestOf } from './frames.ts';

/** A TCP connection to a gateway, without a client's good manners. */
export class RawConnection {
  /** What the gateway has sent. */
  readonly frames: Frame[] = [];
  /** The error by which the connection broke, such as a reset. */
  failure: Error | undefined;
  /** Whether the gateway has ended its side. */
  ended = false;
  /** Whether both sides are closed. */
  closed = false;
  bytesReceived = 0;
  readonly #socket: Socket;
  readonly #reader = new FrameReader(maximumReplyPayloadBytes);
  #framesTaken = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', (error) => {
      this.failure = error;
    });
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('data', (chunk) => {
      this.bytesReceived += chunk.length;
      const { frames, problem } = this.#reader.push(chunk);
      this.frames.push(...frames);
      if (problem !== undefined) this.failure = new Error(`the gateway sent something else: ${problem.kind}`);
    });
  }

  static open(port: number, localAddress = '127.0.0.1'): Promise<RawConnection> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port, localAddress, noDelay: true, allowHalfOpen: false });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        const connection = new RawConnection(socket);
        atTheEnd(() => connection.destroy());
        resolve(connection);
      });
    });
  }

  /** Hands bytes to the system; the promise is fulfilled when it has them all. */
  write(bytes: Uint8Array | string): Promise<void> {
    return new Promise((resolve) => {
      this.#socket.write(bytes, () => resolve());
    });
  }

  send(type: FrameType, payload: Uint8Array = new Uint8Array()): Promise<void> {
    return this.write(encodeFrame(type, payload));
  }

  /** Reads nothing more, so that what the gateway sends piles up. */
  stopReading(): void {
    this.#socket.pause();
  }

  /** Ends our side, as a client that has asked everything. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** The next frame that no call has returned yet. */
  async nextFrame(): Promise<Frame> {
    const index = this.#framesTaken;
    this.#framesTaken += 1;
    await until(() => this.frames.length > index || this.closed, 'the gateway sends a frame');
    const frame = this.frames[index];
    if (frame === undefined) throw new Error(`the connection was closed: ${this.failure?.message ?? 'no frame came'}`);
    return frame;
  }

  async nextReply(): Promise<ActivationReply> {
    return readReply(await this.nextFrame());
  }

  async nextError(): Promise<ErrorReply> {
    const frame = await this.nextFrame();
    const parsed = parseErrorReply(frame.payload);
    if (frame.type !== FrameType.errorReply || !parsed.ok) throw new Error(`a frame of type ${frame.type} is no error`);
    return parsed.error;
  }

  /** Waits until the gateway has ended the connection. */
  async untilClosed(): Promise<void> {
    await until(() => this.closed, 'the gateway closes the connection');
  }
}

/** The reply of a frame. */
export function readReply(frame: Frame): ActivationReply {
  const parsed = parseActivationReply(frame.payload);
  if (frame.type !== FrameType.activationReply || !parsed.ok) {
    throw new Error(`a frame of type ${frame.type} is no activation reply`);
  }
  return parsed.reply;
}
