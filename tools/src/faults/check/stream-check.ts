import type { LogRow, StreamMessage } from './log-row.ts';
import type { Violations } from './violation.ts';

/** What the checker counts of the stream. */
export interface StreamCounts {
  /** Messages of activations, each time they arrived. */
  readonly messages: number;
  /** Those that came again and that a consumer drops. */
  readonly repeated: number;
  /** Rows of the log that have not arrived. */
  readonly missing: number;
}

const activationSubject = /^muster\.v1\.activation\.(granted|refused)\./;

/**
 * Holds the stream against the activation log: each row arrives at least once, after de-duplication by event id exactly
 * once and saying the same, in the order of commit for each machine; nothing arrives that the log does not have.
 */
export class StreamCheck {
  readonly #violations: Violations;
  readonly #rows = new Map<string, LogRow>();
  readonly #missing = new Set<string>();
  readonly #arrived = new Set<string>();
  /** Messages from the first one on whose row is not known yet: the stream may be ahead of what was read of the log. */
  readonly #waiting: StreamMessage[] = [];
  readonly #lastOfMachine = new Map<string, LogRow>();
  #messages = 0;
  #repeated = 0;

  constructor(violations: Violations) {
    this.#violations = violations;
  }

  addRows(rows: readonly LogRow[]): void {
    for (const row of rows) {
      this.#rows.set(row.activationId, row);
      this.#missing.add(row.activationId);
    }
    this.#advance();
  }

  /** Takes messages in the order of the stream. */
  addMessages(messages: readonly StreamMessage[]): void {
    for (const message of messages) if (activationSubject.test(message.subject)) this.#waiting.push(message);
    this.#advance();
  }

  /** Whether messages wait for rows of the log that are younger than the known ones. */
  get isAhead(): boolean {
    return this.#waiting.length > 0;
  }

  /** The id of the first known row that has not arrived; Infinity when all have. */
  get firstMissingId(): number {
    const [first] = this.#missing;
    return (first === undefined ? undefined : this.#rows.get(first)?.id) ?? Number.POSITIVE_INFINITY;
  }

  /**
   * Compares. The rows that are known have to be younger than the messages.
   *
   * @param lastId rows up to this id have had their time to arrive.
   */
  check(lastId: number): StreamCounts {
    while (this.isAhead) {
      const message = this.#waiting.shift();
      this.#violations.add('event-not-in-log', 'The stream has an activation that the log does not have.', message);
      this.#advance();
    }
    const late = [...this.#missing].map((id) => this.#rows.get(id)).filter((row) => (row?.id ?? 0) <= lastId);
    if (late.length > 0) {
      const message = `${late.length} rows of the log have not arrived in the stream.`;
      this.#violations.add('row-not-in-stream', message, { first: late[0], last: late.at(-1) });
    }
    return { messages: this.#messages, repeated: this.#repeated, missing: this.#missing.size };
  }

  /** Takes waiting messages in their order, up to the first whose row is not known. */
  #advance(): void {
    let taken = 0;
    for (const message of this.#waiting) {
      const id = eventId(message);
      const row = this.#rows.get(id);
      if (row === undefined && id !== '') break;
      taken += 1;
      this.#messages += 1;
      if (row === undefined || id !== message.messageId) {
        this.#violations.add('message-without-id', 'A message has no Nats-Msg-Id that is its event id.', message);
      } else if (this.#arrived.has(id)) {
        this.#repeated += 1;
      } else {
        this.#arrive(message, id, row);
      }
    }
    this.#waiting.splice(0, taken);
  }

  #arrive(message: StreamMessage, id: string, row: LogRow): void {
    this.#arrived.add(id);
    this.#missing.delete(id);
    if (!saysTheSame(message, row)) {
      this.#violations.add('event-differs-from-log', 'An event says other than its row of the log.', { message, row });
    }
    const machine = `${row.application}/${row.cmid}`;
    const before = this.#lastOfMachine.get(machine);
    if (before !== undefined && before.id > row.id) {
      this.#violations.add('event-out-of-order', 'Events of one machine arrived against the order of commit.', {
        arrivedFirst: before,
        arrivedThen: row,
        message,
      });
    }
    this.#lastOfMachine.set(machine, row);
  }
}

function eventId({ event }: StreamMessage): string {
  const { id } = (event ?? {}) as { readonly id?: unknown };
  return typeof id === 'string' ? id : '';
}

function saysTheSame({ subject, event }: StreamMessage, row: LogRow): boolean {
  const name = row.code === 'GRANTED' ? 'granted' : 'refused';
  const { data } = event as { readonly data?: Readonly<Record<string, unknown>> };
  return (
    subject === `muster.v1.activation.${name}.${row.application}.${row.edition}` &&
    data?.code === row.code &&
    data.application === row.application &&
    data.edition === row.edition &&
    data.cmid === row.cmid &&
    data.count === row.count &&
    data.threshold === row.threshold &&
    data.clientVersion === row.clientVersion
  );
}
