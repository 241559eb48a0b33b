import type { Socket } from 'node:net';

/** How one direction of a link behaves. */
export interface LinkState {
  /** Nothing is passed on until it is false again. */
  readonly held: boolean;
  /** How much later everything arrives, milliseconds. */
  readonly delayMs: number;
}

export const passing: LinkState = { held: false, delayMs: 0 };

/** What waits to be passed on: bytes, the end of the stream, or the news that the source was reset. */
interface Item {
  readonly what: Buffer | 'end' | 'reset';
  readonly arrivedMs: number;
}

/** Most bytes that wait in one direction of one connection; then the source is not read any more. */
const mostWaitingBytes = 256 * 1024;

/** One direction of one connection: passes on what a socket sends, in order, when its state allows it. */
export class OneWay {
  readonly #source: Socket;
  readonly #sink: Socket;
  readonly #waiting: Item[] = [];
  #state: LinkState = passing;
  #waitingBytes = 0;
  #sinkIsFull = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(source: Socket, sink: Socket, onBytes: (bytes: number) => void) {
    this.#source = source;
    this.#sink = sink;
    source.on('data', (chunk: Buffer) => {
      onBytes(chunk.length);
      this.#waitingBytes += chunk.length;
      this.#add(chunk);
      if (this.#waitingBytes >= mostWaitingBytes) source.pause();
    });
    source.on('end', () => this.#add('end'));
    source.on('error', () => this.#add('reset'));
    sink.on('drain', () => {
      this.#sinkIsFull = false;
      this.#advance();
    });
    sink.on('close', () => clearTimeout(this.#timer));
  }

  setState(state: LinkState): void {
    this.#state = state;
    this.#advance();
  }

  #add(what: Item['what']): void {
    this.#waiting.push({ what, arrivedMs: performance.now() });
    this.#advance();
  }

  #advance(): void {
    clearTimeout(this.#timer);
    while (!this.#state.held && !this.#sinkIsFull && !this.#sink.destroyed) {
      const [item] = this.#waiting;
      if (item === undefined) return;
      const dueInMs = item.arrivedMs + this.#state.delayMs - performance.now();
      if (dueInMs > 0) {
        this.#timer = setTimeout(() => this.#advance(), dueInMs);
        return;
      }
      this.#waiting.shift();
      this.#pass(item.what);
    }
  }

  #pass(what: Item['what']): void {
    if (what === 'end') {
      this.#sink.end();
    } else if (what === 'reset') {
      this.#sink.resetAndDestroy();
    } else {
      this.#sinkIsFull = !this.#sink.write(what);
      this.#waitingBytes -= what.length;
      if (this.#waitingBytes < mostWaitingBytes) this.#source.resume();
    }
  }
}
