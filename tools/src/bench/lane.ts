import { connect, type Socket } from 'node:net';
import { type Frame, FrameReader, maximumReplyPayloadBytes } from '@muster/wire-codec';
import { RequestFrame } from './request-template.ts';

/** One request at a time: its frame is filled again when its answer is there. */
export interface Slot {
  readonly request: RequestFrame;
  sentAtMs: number;
  waiting: boolean;
}

/** What a lane tells the round that it belongs to. */
export interface LaneEvents {
  /** A frame arrived. Times are those of `performance.now()`. */
  frame(lane: Lane, frame: Frame, nowMs: number): void;
  failed(lane: Lane, reason: string): void;
  /** The connection is closed on both sides. */
  closed(lane: Lane): void;
}

/** A place for one connection after another, with the requests that are in flight on it. */
export class Lane {
  readonly slots: readonly Slot[];
  /** Replies that the present connection has brought. */
  replies = 0;
  readonly #port: number;
  readonly #events: LaneEvents;
  #socket: Socket | undefined;

  constructor(port: number, inFlight: number, events: LaneEvents) {
    this.#port = port;
    this.#events = events;
    this.slots = Array.from({ length: inFlight }, () => ({
      request: new RequestFrame(),
      sentAtMs: 0,
      waiting: false,
    }));
  }

  /** Opens a new connection. What is sent before it stands goes out when it does. */
  open(onConnected?: () => void): void {
    const socket = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    const reader = new FrameReader(maximumReplyPayloadBytes);
    this.#socket = socket;
    this.replies = 0;
    if (onConnected !== undefined) socket.once('connect', onConnected);
    socket.on('data', (chunk) => {
      const nowMs = performance.now();
      const { frames, problem } = reader.push(chunk);
      // What the answers of one chunk set off leaves as one write.
      socket.cork();
      for (const frame of frames) this.#events.frame(this, frame, nowMs);
      socket.uncork();
      if (problem !== undefined) socket.destroy(new Error(`the stream is broken: ${problem.kind}`));
    });
    socket.on('error', (error) => this.#events.failed(this, `the connection failed: ${error.message}`));
    socket.on('close', () => this.#events.closed(this));
  }

  send(slot: Slot): void {
    this.#socket?.write(slot.request.bytes);
  }

  close(): void {
    this.#socket?.end();
  }

  destroy(): void {
    this.#socket?.destroy();
  }
}
