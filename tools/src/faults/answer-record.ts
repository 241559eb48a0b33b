import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import type { MachineClass } from '@muster/product-groups';

/**
 * What became of one attempt to be activated, as the client wrote it down: a line of the answers file.
 *
 * The same attempt is named in the activation log, which keeps the client's version: so every row of the log finds its
 * attempt.
 */
export interface AnswerRecord {
  /** Unique in a campaign: `<name of the run>/<number of the wish>.<number of the try>`. */
  readonly attempt: string;
  /** The replica that was asked. */
  readonly gateway: string;
  readonly application: string;
  readonly edition: string;
  readonly cmid: string;
  readonly machineClass: MachineClass;
  /** Whether the connection had been used before. */
  readonly kept: boolean;
  /** Milliseconds since 1970, by the client's clock. */
  readonly askedAtMs: number;
  readonly answeredAtMs: number;
  readonly outcome: Outcome;
}

/** How an attempt ended. */
export type Outcome =
  | {
      /** A signed answer, verified from the vendor's key down. */
      readonly kind: 'answer';
      /** `GRANTED`, or why it was refused. */
      readonly code: string;
      readonly activationId: string;
      readonly count: number;
      readonly threshold: number;
    }
  | {
      /** An ErrorReply: unsigned advice, such as `UNAVAILABLE` and `RATE_LIMITED`. */
      readonly kind: 'advice';
      readonly code: string;
      /** 0 when the host did not say. */
      readonly retryAfterMs: number;
    }
  | {
      readonly kind: 'failed';
      readonly reason: FailureReason;
      readonly detail: string;
    };

/**
 * Why there was no answer at all.
 *
 * - `refused`: nobody listened; the request never left.
 * - `unconnected`: no connection in time; the request never left.
 * - `reset`: the connection was broken off.
 * - `closed`: the connection was ended in order, without an answer.
 * - `silence`: no answer in time.
 * - `untrusted`: an answer that is not proved.
 */
export type FailureReason = 'refused' | 'unconnected' | 'reset' | 'closed' | 'silence' | 'untrusted';

/** Reasons that mean that the request never left the client. */
export const neverSent: ReadonlySet<FailureReason> = new Set(['refused', 'unconnected']);

/** The answers file, for the client that writes it. Each record is with the kernel before `write` returns. */
export class AnswerWriter {
  readonly #file: number;

  constructor(path: string) {
    this.#file = openSync(path, 'a');
  }

  write(record: AnswerRecord): void {
    writeSync(this.#file, `${JSON.stringify(record)}\n`);
  }

  close(): void {
    closeSync(this.#file);
  }
}

/** The answers file, for who reads what was written since it last looked. */
export class AnswerReader {
  readonly #file: number;
  readonly #buffer = Buffer.alloc(256 * 1024);
  #offset = 0;
  #rest = '';

  constructor(path: string) {
    // Made when missing: the reader may be there before the writer.
    this.#file = openSync(path, 'a+');
  }

  /** The records that were completed since the call before. */
  read(): AnswerRecord[] {
    const records: AnswerRecord[] = [];
    for (;;) {
      const length = readSync(this.#file, this.#buffer, 0, this.#buffer.length, this.#offset);
      if (length === 0) return records;
      this.#offset += length;
      // Everything in a record is ASCII, so no character is torn.
      const lines = (this.#rest + this.#buffer.toString('latin1', 0, length)).split('\n');
      this.#rest = lines.pop() ?? '';
      for (const line of lines) records.push(JSON.parse(line));
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}
