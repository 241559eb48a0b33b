import type { Socket } from 'node:net';
import {
  encodeFrame,
  type Frame,
  type FrameProblem,
  FrameReader,
  type FrameType,
  maximumRequestPayloadBytes,
} from '@muster/wire-codec';
import type { GatewayLimits } from './limits.ts';
import type { LimitName } from './statistics.ts';

/** What a connection tells the gateway. */
export interface ConnectionEvents {
  /** A whole frame of our protocol. */
  frame(connection: Connection, frame: Frame): void;
  /** The stream cannot be read any further, and all that came before is answered. The connection closes after this. */
  problem(connection: Connection, problem: FrameProblem): void;
  /** Both sides are closed. Called once. */
  closed(connection: Connection): void;
}

/**
 * Bytes that may wait for a peer that does not read, before nothing more is read from it. The high water mark of the
 * socket has to be the same, because its `drain` is what says that reading goes on.
 */
export const writeHighWaterBytes = 16 * 1024;
const none = new Uint8Array();

/**
 * One client's connection: bytes in, frames out, and the limits of DESIGN 5 on both.
 *
 * Frames are cut one after the other, each when there is room for its answer: what waits is bytes, and few of them. It
 * holds no timer: `expired` is asked regularly, which costs nothing per connection and follows the injected clock.
 */
export class Connection {
  /** The client's address without the port; behind a proxy, the one that the proxy has named. */
  readonly remoteAddress: string;
  /** The credential and certificate sent last, which the peer remembers (see activation.proto). */
  sentCredential = '';
  sentCertificate = '';

  readonly #socket: Socket;
  readonly #limits: GatewayLimits;
  readonly #events: ConnectionEvents;
  readonly #reader = new FrameReader(maximumRequestPayloadBytes);
  /** What has arrived and is not cut into frames yet, from a position on. */
  #unread: Uint8Array = none;
  #position = 0;
  #outgoing: Uint8Array[] = [];
  #outgoingBytes = 0;
  #inFlight = 0;
  #cutting = false;
  #resting = false;
  #problem: FrameProblem | undefined;
  #heard = false;
  #peerEnded = false;
  #closing = false;
  #frameSinceMs: number | undefined;
  #stalledSinceMs: number | undefined;
  #activeAtMs: number;

  constructor(
    socket: Socket,
    remoteAddress: string,
    limits: GatewayLimits,
    events: ConnectionEvents,
    nowMs: () => number,
  ) {
    this.#socket = socket;
    this.#limits = limits;
    this.#events = events;
    this.#activeAtMs = nowMs();
    this.remoteAddress = remoteAddress;
    socket.on('data', (chunk) => this.receive(chunk, nowMs()));
    socket.on('end', () => {
      this.#peerEnded = true;
      this.#continue(nowMs());
    });
    socket.on('drain', () => {
      this.#stalledSinceMs = undefined;
      this.#activeAtMs = nowMs();
      this.#continue(nowMs());
    });
    // A peer that resets the connection is no event of ours; 'close' follows.
    socket.on('error', () => undefined);
    socket.on('close', () => events.closed(this));
  }

  /** Says that a request of this connection waits for its answer. */
  begin(): void {
    this.#inFlight += 1;
  }

  /** Puts a frame among those that `flush` sends; `answers` says whether it answers a request. */
  send(type: FrameType, payload: Uint8Array, answers: boolean): void {
    if (answers) this.#inFlight -= 1;
    if (!this.#socket.writable) return;
    const frame = encodeFrame(type, payload);
    this.#outgoing.push(frame);
    this.#outgoingBytes += frame.length;
  }

  /** Sends what was put in by `send`, as one write, and reads on where that had stopped. */
  flush(nowMs: number): void {
    this.#write(nowMs);
    this.#continue(nowMs);
  }

  /** Reads nothing more until `wake`: for a peer whose address asks too much. What was asked is answered. */
  rest(): void {
    this.#resting = true;
  }

  /** Ends a rest. */
  wake(nowMs: number): void {
    if (!this.#resting) return;
    this.#resting = false;
    this.#continue(nowMs);
  }

  /** Ends our side after what was sent; what still arrives is dropped until the peer ends too. */
  close(nowMs: number): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#activeAtMs = nowMs;
    this.#dropUnread();
    this.#socket.resume();
    this.#socket.end();
  }

  /** Closes at once, with whatever is under way. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** Ends the connection when nothing is under way and the peer has been quiet for so long. */
  endIfQuiet(nowMs: number, quietMs: number): void {
    if (this.#isIdle() && nowMs - this.#activeAtMs >= quietMs) this.close(nowMs);
  }

  /** Bytes of input that wait here, and in the stream below, which reads on for a while after it was paused. */
  get inputBytes(): number {
    return this.#unread.length + this.#socket.readableLength;
  }

  /** Acts on the time limits; returns the one that was passed. */
  expired(nowMs: number): LimitName | undefined {
    if (this.#closing) {
      if (hasPassed(this.#activeAtMs, this.#limits.closingMs, nowMs)) this.destroy();
      return undefined;
    }
    const passed = this.#passedLimit(nowMs);
    if (passed === 'write-stall') this.destroy();
    else if (passed !== undefined) this.close(nowMs);
    return passed;
  }

  #passedLimit(nowMs: number): LimitName | undefined {
    const { writeStallMs, frameMs, firstByteMs, idleMs } = this.#limits;
    if (hasPassed(this.#stalledSinceMs, writeStallMs, nowMs)) return 'write-stall';
    if (hasPassed(this.#frameSinceMs, frameMs, nowMs)) return 'frame-time';
    if (this.#inFlight > 0) return undefined;
    if (!this.#heard) return hasPassed(this.#activeAtMs, firstByteMs, nowMs) ? 'first-byte' : undefined;
    return hasPassed(this.#activeAtMs, idleMs, nowMs) ? 'idle' : undefined;
  }

  /** Takes what has arrived. */
  receive(chunk: Uint8Array, nowMs: number): void {
    if (this.#closing || this.#problem !== undefined) return;
    this.#heard = true;
    this.#activeAtMs = nowMs;
    const waiting = this.#unread.subarray(this.#position);
    this.#unread = waiting.length === 0 ? chunk : Buffer.concat([waiting, chunk]);
    this.#position = 0;
    this.#continue(nowMs);
  }

  /** Hands on as many frames as the limits allow, then reads on, waits, or ends. */
  #continue(nowMs: number): void {
    if (this.#cutting) return; // An answer that came while its request was handed on: the loop sees to the rest.
    this.#cutting = true;
    while (this.#position < this.#unread.length && this.#mayTakeMore()) this.#cutFrame(nowMs);
    this.#cutting = false;
    this.#write(nowMs);
    const allCut = this.#position === this.#unread.length;
    if (allCut) this.#dropUnread();
    if (this.#closing) return;
    const done = this.#inFlight === 0 && allCut;
    if (done && this.#problem !== undefined) {
      this.#events.problem(this, this.#problem);
      this.#write(nowMs);
      this.close(nowMs);
    } else if (done && this.#peerEnded) {
      this.close(nowMs);
    } else if (this.#mayTakeMore()) {
      // The time of a frame that has begun runs only while its rest is read.
      if (this.#reader.hasPartialFrame) this.#frameSinceMs ??= nowMs;
      this.#socket.resume();
    } else {
      this.#frameSinceMs = undefined;
      this.#socket.pause();
    }
  }

  #cutFrame(nowMs: number): void {
    const { end, frame, problem } = this.#reader.read(this.#unread, this.#position);
    this.#position = problem === undefined ? end : this.#unread.length;
    this.#problem = problem;
    if (frame === undefined) return;
    // A frame that completes ends the time of its beginning; what follows it in the chunk begins anew.
    this.#frameSinceMs = undefined;
    this.#events.frame(this, frame);
    if (this.#outgoingBytes >= writeHighWaterBytes) this.#write(nowMs);
  }

  #dropUnread(): void {
    this.#unread = none;
    this.#position = 0;
  }

  #write(nowMs: number): void {
    const [first] = this.#outgoing;
    if (first === undefined) return;
    const bytes = this.#outgoing.length === 1 ? first : Buffer.concat(this.#outgoing);
    this.#outgoing = [];
    this.#outgoingBytes = 0;
    this.#activeAtMs = nowMs;
    if (!this.#socket.write(bytes)) this.#stalledSinceMs ??= nowMs;
  }

  #mayTakeMore(): boolean {
    return (
      !this.#closing &&
      !this.#resting &&
      this.#inFlight < this.#limits.inFlightPerConnection &&
      this.#socket.writableLength < writeHighWaterBytes
    );
  }

  #isIdle(): boolean {
    return this.#inFlight === 0 && this.#unread.length === 0 && !this.#reader.hasPartialFrame;
  }
}

function hasPassed(sinceMs: number | undefined, limitMs: number, nowMs: number): boolean {
  return sinceMs !== undefined && nowMs - sinceMs >= limitMs;
}
