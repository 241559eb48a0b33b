import type { Socket } from 'node:net';
import type { GatewayLimits } from './limits.ts';
import { readProxyHeader } from './proxy-header.ts';
import type { LimitName } from './statistics.ts';

/** What becomes of a connection of a proxy; exactly one of these. */
export interface ProxiedArrivalEvents {
  /**
   * The header has come.
   *
   * @param client the address that it names; undefined where the proxy's own address counts.
   * @param rest what came behind the header.
   */
  introduced(arrival: ProxiedArrival, client: string | undefined, rest: Uint8Array): void;
  /** What came is no header, and the connection is closed. `problem` is part of a sentence. */
  refused(arrival: ProxiedArrival, problem: string): void;
  /** The connection has ended before its header. */
  closed(arrival: ProxiedArrival): void;
}

const none = new Uint8Array();

/**
 * A connection from a configured proxy whose PROXY header has not come yet. It has the time of a first byte and then
 * that of a frame for it, and holds no more than the longest header; nothing is sent to it, whatever comes.
 */
export class ProxiedArrival {
  readonly socket: Socket;
  readonly #limits: GatewayLimits;
  readonly #events: ProxiedArrivalEvents;
  readonly #startedMs: number;
  #bytes: Uint8Array = none;
  #firstByteMs: number | undefined;

  constructor(socket: Socket, limits: GatewayLimits, events: ProxiedArrivalEvents, nowMs: () => number) {
    this.socket = socket;
    this.#limits = limits;
    this.#events = events;
    this.#startedMs = nowMs();
    const receive = (chunk: Uint8Array) => {
      this.#firstByteMs ??= nowMs();
      this.#receive(chunk);
    };
    const end = () => this.destroy();
    const error = () => undefined; // 'close' follows.
    const close = () => events.closed(this);
    socket.on('data', receive).on('end', end).on('error', error).on('close', close);
    this.#release = () => socket.off('data', receive).off('end', end).off('error', error).off('close', close);
  }

  /** Takes away what listens here; the socket is somebody else's then. */
  readonly #release: () => void;

  /** Bytes of input that wait. */
  get inputBytes(): number {
    return this.#bytes.length;
  }

  /** It never rests. */
  wake(): void {}

  /** Closes at once. */
  destroy(): void {
    this.socket.destroy();
  }

  /** Closes when no byte of the header has come for so long. */
  endIfQuiet(nowMs: number, quietMs: number): void {
    if (this.#firstByteMs === undefined && nowMs - this.#startedMs >= quietMs) this.destroy();
  }

  /** Acts on the time limits; returns the one that was passed. */
  expired(nowMs: number): LimitName | undefined {
    const passed = this.#passedLimit(nowMs);
    if (passed !== undefined) this.destroy();
    return passed;
  }

  #passedLimit(nowMs: number): LimitName | undefined {
    const { firstByteMs, frameMs } = this.#limits;
    if (this.socket.destroyed) return undefined;
    if (this.#firstByteMs === undefined) return nowMs - this.#startedMs >= firstByteMs ? 'first-byte' : undefined;
    return nowMs - this.#firstByteMs >= frameMs ? 'frame-time' : undefined;
  }

  #receive(chunk: Uint8Array): void {
    const bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk]);
    const header = readProxyHeader(bytes);
    switch (header.kind) {
      case 'incomplete':
        this.#bytes = bytes;
        break;
      case 'header':
        this.#release();
        this.#events.introduced(this, header.client, bytes.subarray(header.bytes));
        break;
      case 'malformed':
        this.#release();
        this.socket.on('error', () => undefined);
        this.destroy();
        this.#events.refused(this, header.problem);
    }
  }
}
