import { AnswerReader, type AnswerRecord } from './answer-record.ts';

/** How clients fared over a stretch of time. */
export interface Fare {
  readonly attempts: number;
  /** Signed answers, grants and refusals. */
  readonly answered: number;
  /** Attempts by outcome: a code, or why there was none. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** How long attempts took, whatever their outcome, milliseconds. */
  readonly latenciesMs: readonly number[];
}

/** Answers in a row by which a gateway is said to work again. */
const answersInARow = 15;
/** What every gateway gives to some requests at all times: those by which the load tests refusals. */
const refusalsByDesign = new Set(['CLOCK_SKEW', 'PRODUCT_NOT_COVERED']);

/** What the clients of a site have written down lately. */
export class Observations {
  readonly #reader: AnswerReader;
  #records: AnswerRecord[] = [];

  constructor(answersFile: string) {
    this.#reader = new AnswerReader(answersFile);
  }

  /** Reads what is new. @returns every record since the last `forgetBefore`. */
  update(): readonly AnswerRecord[] {
    this.#records.push(...this.#reader.read());
    return this.#records;
  }

  /** Forgets attempts that were made before a time, milliseconds since 1970. */
  forgetBefore(timeMs: number): void {
    this.#records = this.#records.filter(({ askedAtMs }) => askedAtMs >= timeMs);
  }

  close(): void {
    this.#reader.close();
  }
}

/** How attempts fared that were made from one time to another, milliseconds since 1970. */
export function fareBetween(records: readonly AnswerRecord[], fromMs: number, toMs: number): Fare {
  const within = records.filter(({ askedAtMs }) => askedAtMs >= fromMs && askedAtMs < toMs);
  const outcomes: Record<string, number> = {};
  for (const { outcome } of within) {
    const name = outcome.kind === 'failed' ? outcome.reason : outcome.code;
    outcomes[name] = (outcomes[name] ?? 0) + 1;
  }
  return {
    attempts: within.length,
    answered: within.filter(({ outcome }) => outcome.kind === 'answer').length,
    outcomes,
    latenciesMs: within.map(({ askedAtMs, answeredAtMs }) => answeredAtMs - askedAtMs),
  };
}

/**
 * From when on every gateway gives answers again, without a hand: the time of the first of at least 15 attempts in a
 * row, up to the present, at the gateway that took longest.
 *
 * @returns undefined when a gateway does not, yet.
 */
export function workingSince(
  records: readonly AnswerRecord[],
  gateways: readonly string[],
  afterMs: number,
): number | undefined {
  let latestMs = afterMs;
  for (const gateway of gateways) {
    const asked = records
      .filter((record) => record.gateway === gateway && record.askedAtMs >= afterMs && !isRefusedByDesign(record))
      .toSorted((one, other) => one.askedAtMs - other.askedAtMs);
    const lastFailure = asked.findLastIndex(({ outcome }) => outcome.kind !== 'answer');
    const answers = asked.slice(lastFailure + 1);
    const [first] = answers;
    if (first === undefined || answers.length < answersInARow) return undefined;
    latestMs = Math.max(latestMs, first.askedAtMs);
  }
  return latestMs;
}

/** The value below which a share of the values lies (nearest rank); 0 when there is none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

function isRefusedByDesign({ outcome }: AnswerRecord): boolean {
  return outcome.kind === 'answer' && refusalsByDesign.has(outcome.code);
}
