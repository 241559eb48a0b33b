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

/** Bytes that may wait for a peer that does not read, before nothing more is read from it. */
const writeHighWaterBytes = 64 * 1024;

/**
 * One client's connection: bytes in, frames out, and the limits of DESIGN 5 on both.
 *
 * It holds no timer: `expired` is asked regularly, which costs nothing per connection and follows the injected clock.
 */
export class Connection {
  /** The peer's address without the port. */
  readonly remoteAddress: string;
  /** The credential and certificate sent last, which the peer remembers (see activation.proto). */
  sentCredential = '';
  sentCertificate = '';

  readonly #socket: Socket;
  readonly #limits: GatewayLimits;
  readonly #events: ConnectionEvents;
  readonly #reader = new FrameReader(maximumRequestPayloadBytes);
  #unread: Frame[] = [];
  #outgoing: Uint8Array[] = [];
  #inFlight = 0;
  #problem: FrameProblem | undefined;
  #heard = false;
  #peerEnded = false;
  #closing = false;
  #frameSinceMs: number | undefined;
  #stalledSinceMs: number | undefined;
  #activeAtMs: number;

  constructor(socket: Socket, limits: GatewayLimits, events: ConnectionEvents, nowMs: () => number) {
    this.#socket = socket;
    this.#limits = limits;
    this.#events = events;
    this.#activeAtMs = nowMs();
    this.remoteAddress = plainAddress(socket.remoteAddress);
    socket.on('data', (chunk) => this.#receive(chunk, nowMs()));
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
    if (this.#socket.writable) this.#outgoing.push(encodeFrame(type, payload));
  }

  /** Sends what was put in by `send`, as one write, and reads on where that had stopped. */
  flush(nowMs: number): void {
    this.#write(nowMs);
    this.#continue(nowMs);
  }

  /** Ends our side after what was sent; what still arrives is dropped until the peer ends too. */
  close(nowMs: number): void {
    if (this.#closing) return;
    this.#closing = true;
    this.#activeAtMs = nowMs;
    this.#unread = [];
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

  /** Acts on the time limits; returns the one that was passed. */
  expired(nowMs: number): LimitName | undefined {
    const since = (startMs: number | undefined, limitMs: number) => startMs !== undefined && nowMs - startMs >= limitMs;
    if (this.#closing) {
      if (since(this.#activeAtMs, this.#limits.closingMs)) this.destroy();
      return undefined;
    }
    const passed = this.#passedLimit(since);
    if (passed === 'write-stall') this.destroy();
    else if (passed !== undefined) this.close(nowMs);
    return passed;
  }

  #passedLimit(since: (startMs: number | undefined, limitMs: number) => boolean): LimitName | undefined {
    if (since(this.#stalledSinceMs, this.#limits.writeStallMs)) return 'write-stall';
    if (since(this.#frameSinceMs, this.#limits.frameMs)) return 'frame-time';
    if (this.#inFlight > 0) return undefined;
    if (!this.#heard) return since(this.#activeAtMs, this.#limits.firstByteMs) ? 'first-byte' : undefined;
    return since(this.#activeAtMs, this.#limits.idleMs) ? 'idle' : undefined;
  }

  #receive(chunk: Uint8Array, nowMs: number): void {
    if (this.#closing || this.#problem !== undefined) return;
    this.#heard = true;
    this.#activeAtMs = nowMs;
    const { frames, problem } = this.#reader.push(chunk);
    // A frame that completes ends the time of its beginning; what follows it in the chunk begins anew.
    if (frames.length > 0) this.#frameSinceMs = undefined;
    this.#frameSinceMs = this.#reader.hasPartialFrame ? (this.#frameSinceMs ?? nowMs) : undefined;
    this.#unread.push(...frames);
    this.#problem = problem;
    this.#continue(nowMs);
  }

  /** Hands on as many frames as the limits allow, then reads on, waits, or ends. */
  #continue(nowMs: number): void {
    let handled = 0;
    while (handled < this.#unread.length && this.#mayTakeMore()) {
      const frame = this.#unread[handled];
      handled += 1;
      if (frame !== undefined) this.#events.frame(this, frame);
      this.#write(nowMs);
    }
    if (handled > 0) this.#unread = this.#unread.slice(handled);
    if (this.#closing) return;
    const done = this.#inFlight === 0 && this.#unread.length === 0;
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

  #write(nowMs: number): void {
    const [first] = this.#outgoing;
    if (first === undefined) return;
    const bytes = this.#outgoing.length === 1 ? first : Buffer.concat(this.#outgoing);
    this.#outgoing = [];
    this.#activeAtMs = nowMs;
    if (!this.#socket.write(bytes)) this.#stalledSinceMs ??= nowMs;
  }

  #mayTakeMore(): boolean {
    return (
      !this.#closing &&
      this.#inFlight < this.#limits.inFlightPerConnection &&
      this.#socket.writableLength < writeHighWaterBytes
    );
  }

  #isIdle(): boolean {
    return this.#inFlight === 0 && this.#unread.length === 0 && !this.#reader.hasPartialFrame;
  }
}

/** An IPv4 peer of a socket that listens for both families is named by its IPv4 address. */
export function plainAddress(address = ''): string {
  return address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : address;
}
