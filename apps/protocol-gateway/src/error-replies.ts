import { resultCodes } from '@muster/product-groups';
import { encodeErrorReply, FrameType, type WireResultCodeName } from '@muster/wire-codec';
import type { Connection } from './connection.ts';
import { type GatewayStatistics, increment } from './statistics.ts';

/** What an error says; the texts of the code's table where they are left out. */
export interface ErrorDetails {
  readonly message?: string;
  readonly remedy?: string;
  /** Of the request, where it could be read. */
  readonly nonce?: Uint8Array | undefined;
}

/** Answers by ErrorReply, and counts it. */
export class ErrorReplies {
  readonly #statistics: GatewayStatistics;
  readonly #retryAfterMs: () => number;

  /** @param retryAfterMs how long a client is asked to wait after UNAVAILABLE and RATE_LIMITED. */
  constructor(statistics: GatewayStatistics, retryAfterMs: () => number) {
    this.#statistics = statistics;
    this.#retryAfterMs = retryAfterMs;
  }

  /** Puts a reply among those that the connection's `flush` sends; `answers` says whether a request waits for it. */
  send(connection: Connection, code: WireResultCodeName, details: ErrorDetails = {}, answers = false): void {
    increment(this.#statistics.results, code);
    const description = resultCodes[code];
    const mayRetry = code === 'UNAVAILABLE' || code === 'RATE_LIMITED';
    const payload = encodeErrorReply({
      code,
      message: details.message ?? description.meaning,
      remedy: details.remedy ?? description.remedy,
      ...(details.nonce === undefined ? {} : { nonce: details.nonce }),
      ...(mayRetry ? { retryAfterMs: this.#retryAfterMs() } : {}),
    });
    connection.send(FrameType.errorReply, payload, answers);
  }
}
