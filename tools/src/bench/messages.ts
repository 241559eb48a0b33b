import type { LoadShape, LoadSubject } from './cases.ts';

/** What the benchmark asks of the load generator's process: one round. */
export interface LoadOrder {
  readonly shape: LoadShape;
  readonly subject: LoadSubject;
  readonly port: number;
  /** The vendor that answers are verified with, a JWK. */
  readonly vendorKeyJwk: string;
  readonly seconds: number;
}

/** What a round gave. */
export interface LoadResult {
  /** Right answers within the time of the round. */
  readonly answersPerSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Answers that were verified from the vendor's key down. */
  readonly verified: number;
  /** What went wrong, and how often. */
  readonly errors: Readonly<Record<string, number>>;
  /** Processor time of the load generator as a part of the round's time. */
  readonly generatorBusy: number;
  readonly replyBytes: ReplyBytes;
}

/** Mean payload bytes of the replies. */
export interface ReplyBytes {
  /** Of the first reply of a connection, which carries credential and certificate. */
  readonly first: number;
  /** Of the others; that of the first where there are no others. */
  readonly later: number;
}

/** What a child process of the benchmark answers. */
export type Answer<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly message: string };
