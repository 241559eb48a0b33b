import { type AnswerRecord, neverSent } from '../answer-record.ts';
import type { LogRow } from './log-row.ts';
import type { Violations } from './violation.ts';

/** What the checker counts of the answers. */
export interface AnswerCounts {
  /** Signed answers. */
  readonly answers: number;
  readonly granted: number;
  /** Attempts that the log has and whose client was told nothing, or `UNAVAILABLE`: committed, and the way back failed. */
  readonly committedWithoutAnswer: number;
}

/**
 * Holds what clients were told against the activation log: each signed answer is in the log exactly once by its
 * activation id and says the same; what was never sent, or was turned away, is not in the log; no attempt is in it
 * twice.
 */
export class AnswersCheck {
  readonly #violations: Violations;
  readonly #rows = new Map<string, LogRow>();
  readonly #rowOfAttempt = new Map<string, LogRow>();
  readonly #records = new Map<string, AnswerRecord>();
  readonly #attemptOfActivation = new Map<string, string>();
  /** Records that came in and were not compared with the log yet. */
  #fresh: AnswerRecord[] = [];
  #granted = 0;
  #answers = 0;

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  addRecords(records: readonly AnswerRecord[]): void {
    for (const record of records) {
      if (this.#records.has(record.attempt)) {
        this.#violations.add('attempt-twice', 'A client wrote down two outcomes of one attempt.', record);
      }
      this.#records.set(record.attempt, record);
      this.#fresh.push(record);
    }
  }

  addRows(rows: readonly LogRow[]): void {
    for (const row of rows) {
      const sameId = this.#rows.get(row.activationId);
      if (sameId !== undefined) {
        this.#violations.add('activation-twice', 'Two rows of the log have one activation id.', [sameId, row]);
      }
      this.#rows.set(row.activationId, row);
      const sameAttempt = this.#rowOfAttempt.get(row.clientVersion);
      if (sameAttempt !== undefined) {
        this.#violations.add('attempt-counted-twice', 'One attempt is in the log twice.', [sameAttempt, row]);
      }
      this.#rowOfAttempt.set(row.clientVersion, row);
    }
  }

  /**
   * Compares. The rows that are known have to be younger than the records, so that each answer finds its row.
   *
   * @param final whether every attempt has its record, so that a row without one is a violation.
   */
  check(final: boolean): AnswerCounts {
    for (const record of this.#fresh) this.#checkRecord(record);
    this.#fresh = [];
    let committedWithoutAnswer = 0;
    for (const [attempt, row] of this.#rowOfAttempt) {
      const record = this.#records.get(attempt);
      if (record === undefined) {
        if (final) this.#violations.add('row-of-nobody', 'The log has a request that no client made.', row);
      } else if (record.outcome.kind !== 'answer') {
        committedWithoutAnswer += 1;
        this.#checkTurnedAway(record, row);
      }
    }
    return { answers: this.#answers, granted: this.#granted, committedWithoutAnswer };
  }

  #checkRecord(record: AnswerRecord): void {
    const { outcome } = record;
    if (outcome.kind === 'failed' && outcome.reason === 'untrusted') {
      this.#violations.add('untrusted-answer', 'A client got an answer that is not proved.', record);
    }
    if (outcome.kind !== 'answer') return;
    this.#answers += 1;
    if (outcome.code === 'GRANTED') this.#granted += 1;
    const other = this.#attemptOfActivation.get(outcome.activationId);
    if (other !== undefined) {
      const evidence = [record, this.#records.get(other)];
      this.#violations.add('activation-told-twice', 'Two attempts got the same activation id.', evidence);
    }
    this.#attemptOfActivation.set(outcome.activationId, record.attempt);
    const row = this.#rows.get(outcome.activationId);
    if (row === undefined) {
      this.#violations.add('answer-not-in-log', 'A client holds an answer that the log does not have.', record);
      return;
    }
    const told = [record.attempt, record.application, record.edition, record.cmid, record.machineClass];
    const logged = [row.clientVersion, row.application, row.edition, row.cmid, row.machineClass];
    const toldResult = [outcome.code, outcome.count, outcome.threshold];
    const loggedResult = [row.code, row.count, row.threshold];
    if (JSON.stringify([told, toldResult]) !== JSON.stringify([logged, loggedResult])) {
      this.#violations.add('answer-differs-from-log', 'A client was told other than the log says.', { record, row });
    }
  }

  /** The way back may fail after the commit, but what never went out or was turned away has not been counted. */
  #checkTurnedAway(record: AnswerRecord, row: LogRow): void {
    const { outcome } = record;
    const neverCame = outcome.kind === 'failed' && neverSent.has(outcome.reason);
    const turnedAway = outcome.kind === 'advice' && outcome.code !== 'UNAVAILABLE';
    if (!neverCame && !turnedAway) return;
    this.#violations.add('turned-away-and-counted', 'The log has a request that was turned away or never sent.', {
      record,
      row,
    });
  }
}
