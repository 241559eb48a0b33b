import type { Catalogue } from '@muster/product-groups';
import type { AnswerRecord } from '../answer-record.ts';
import { type AnswerCounts, AnswersCheck } from './answers-check.ts';
import type { LogRow, MachineRow, StreamMessage } from './log-row.ts';
import { Recount } from './recount.ts';
import { StreamCheck, type StreamCounts } from './stream-check.ts';
import { Violations } from './violation.ts';

/** What one look at log, stream and answers found. */
export interface CheckResult extends AnswerCounts, StreamCounts {
  /** Rows of the activation log so far. */
  readonly rows: number;
  /** Rows by the gateway that asked counting for them. */
  readonly rowsOfGateway: Readonly<Record<string, number>>;
  /** The lowest and the highest count that the log has reported since the look before. */
  readonly counts: readonly [number, number];
}

/** Everything that was seen so far of the log, the stream and the answers, and what contradicts in it. Does no I/O. */
export class Ledger {
  readonly violations = new Violations();
  readonly #recount: Recount;
  readonly #answers = new AnswersCheck(this.violations);
  readonly #stream = new StreamCheck(this.violations);
  readonly #rowsOfGateway = new Map<string, number>();
  #rows = 0;
  #lastId = 0;
  #counts: [number, number] = [Number.POSITIVE_INFINITY, 0];

  constructor(catalogue: Catalogue) {
    this.#recount = new Recount(catalogue, this.violations);
  }

  /** The greatest id of the rows that are known. */
  get lastId(): number {
    return this.#lastId;
  }

  /** How many rows are known. */
  get rows(): number {
    return this.#rows;
  }

  /** Whether every row up to this id has arrived in the stream. */
  hasArrived(lastId: number): boolean {
    return this.#stream.firstMissingId > lastId;
  }

  /** Whether the stream has what the known rows do not explain: younger rows have to be read. */
  get streamIsAhead(): boolean {
    return this.#stream.isAhead;
  }

  addRecords(records: readonly AnswerRecord[]): void {
    this.#answers.addRecords(records);
  }

  addRows(rows: readonly LogRow[]): void {
    this.#recount.add(rows);
    this.#answers.addRows(rows);
    this.#stream.addRows(rows);
    for (const { gatewayId, count } of rows) {
      this.#rowsOfGateway.set(gatewayId, (this.#rowsOfGateway.get(gatewayId) ?? 0) + 1);
      this.#counts = [Math.min(this.#counts[0], count), Math.max(this.#counts[1], count)];
    }
    this.#rows += rows.length;
    this.#lastId = rows.at(-1)?.id ?? this.#lastId;
  }

  /**
   * Compares the machine table and the number of rows, both read together with the last rows.
   *
   * @param rowsUpToLastId how many rows the log has with ids up to `lastId`: more than are known means that one was
   * committed behind a reader, fewer that one has vanished.
   */
  compareTables(machines: readonly MachineRow[], rowsUpToLastId: number): void {
    this.#recount.compareMachines(machines);
    if (rowsUpToLastId === this.#rows) return;
    const message = `The log has ${rowsUpToLastId} rows up to id ${this.#lastId}, and ${this.#rows} were read in order.`;
    this.violations.add('log-changed-behind', message, { lastId: this.#lastId });
  }

  addMessages(messages: readonly StreamMessage[]): void {
    this.#stream.addMessages(messages);
  }

  /**
   * Compares everything.
   *
   * @param arrivedId rows up to this id have had their time to arrive in the stream.
   * @param final whether every attempt has its record.
   */
  check(arrivedId: number, final: boolean): CheckResult {
    const answers = this.#answers.check(final);
    const stream = this.#stream.check(arrivedId);
    const counts = this.#counts;
    this.#counts = [Number.POSITIVE_INFINITY, 0];
    return { rows: this.#rows, rowsOfGateway: Object.fromEntries(this.#rowsOfGateway), counts, ...answers, ...stream };
  }
}
