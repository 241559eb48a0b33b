import { AnswerReader } from '../answer-record.ts';
import { pause } from '../until.ts';
import { stackCatalogue } from './catalogue.ts';
import { type CheckResult, Ledger } from './ledger.ts';
import { type LogReading, readLog } from './log-reader.ts';
import { StreamReader } from './stream-reader.ts';
import type { Violation } from './violation.ts';

/** Where the checker reads: nowhere else. */
export interface CheckerOptions {
  /** `postgres://...` of counting's database. */
  readonly database: string;
  /** `nats://host:port`. */
  readonly nats: string;
  /** The file that the clients write their answers to. */
  readonly answersFile: string;
  /** How long a row of the log may take to arrive in the stream, and an engine to answer; milliseconds. */
  readonly patienceMs: number;
}

/** What a check found. */
export interface CheckReport extends CheckResult {
  /** All violations so far. */
  readonly violations: number;
  /** The first of them. */
  readonly kept: readonly Violation[];
  /** How long the log's rows took to be in the stream, milliseconds, from when the log was read. */
  readonly arrivedAfterMs: number;
}

const lookAgainMs = 50;

/** Checks from outside, and as often as one likes, what DESIGN promises about everything committed so far. */
export class Checker {
  readonly #options: CheckerOptions;
  readonly #ledger = new Ledger(stackCatalogue());
  readonly #answers: AnswerReader;
  readonly #stream: StreamReader;

  constructor(options: CheckerOptions) {
    this.#options = options;
    this.#answers = new AnswerReader(options.answersFile);
    this.#stream = new StreamReader(options.nats);
  }

  /**
   * Reads what is new and compares.
   *
   * @param final whether the clients have ended, so that every attempt has its outcome.
   * @throws when PostgreSQL cannot be read within the patience.
   */
  async check(final: boolean): Promise<CheckReport> {
    // In this order: what a client was told is in the log by then, and what is in the log is to come in the stream.
    this.#ledger.addRecords(this.#answers.read());
    await this.#readLog();
    const startMs = performance.now();
    const lastId = this.#ledger.lastId;
    const late = () => performance.now() - startMs > this.#options.patienceMs;
    do {
      this.#ledger.addMessages(await this.#stream.read().catch(() => []));
      if (!this.#ledger.hasArrived(lastId)) await pause(lookAgainMs);
    } while (!this.#ledger.hasArrived(lastId) && !late());
    const arrivedAfterMs = Math.round(performance.now() - startMs);
    if (this.#ledger.streamIsAhead) await this.#readLog();
    const result = this.#ledger.check(lastId, final);
    const { total, kept } = this.#ledger.violations;
    return { ...result, violations: total, kept, arrivedAfterMs };
  }

  async #readLog(): Promise<void> {
    const { rows, machines, allRows } = await this.#readingOfLog();
    this.#ledger.addRows(rows);
    this.#ledger.compareTables(machines, allRows);
  }

  async #readingOfLog(): Promise<LogReading> {
    const startMs = performance.now();
    for (;;) {
      try {
        return await readLog(this.#options.database, this.#ledger.lastId);
      } catch (error) {
        if (performance.now() - startMs > this.#options.patienceMs) throw error;
        await pause(lookAgainMs);
      }
    }
  }
}
