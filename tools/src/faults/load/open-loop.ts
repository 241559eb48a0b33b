import type { VendorKeys } from '@muster/trust';
import type { AnswerRecord, Outcome } from '../answer-record.ts';
import type { SeededRandom } from '../seeded-random.ts';
import { LoadConnection, type LoadConnectionOptions } from './load-connection.ts';
import type { MachinePool, Wish } from './machine-pool.ts';

/** A gateway as clients see it. */
export interface GatewayTarget {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

/** How the load is made. */
export interface OpenLoopOptions {
  /** Stands before the number of each attempt, so that attempts of several runs differ. */
  readonly name: string;
  readonly gateways: readonly GatewayTarget[];
  /** Attempts a second, whatever becomes of them. */
  readonly attemptsPerSecond: number;
  /** Connections that are kept to each gateway. */
  readonly keptPerGateway: number;
  /** How many of the attempts use a new connection, 0 to 1. */
  readonly newConnectionShare: number;
  readonly vendorKeys: VendorKeys;
  readonly pool: MachinePool;
  readonly random: SeededRandom;
  /** Gets each record as soon as its outcome is known, before anything else happens. */
  onRecord(record: AnswerRecord): void;
  onIdleReset(gateway: string): void;
}

interface Try {
  readonly wish: Wish;
  readonly number: number;
  readonly tries: number;
  readonly dueMs: number;
}

const tickMs = 5;
const connectMs = 2_000;
const answerMs = 5_000;
/** Failures without advice are tried again after this. */
const usualRetryMs = 1_000;
/** Wishes that wait for another try; the oldest are given up, as a machine that is switched off. */
const mostRetries = 2_000;
/** Attempts under way. The schedule is open: only a client that is out of its depth reaches this. */
const mostUnderWay = 5_000;

/** Load at a steady rate: each attempt starts at its time, however slow the answers are (an open loop). */
export class OpenLoop {
  readonly #options: OpenLoopOptions;
  readonly #kept: (LoadConnection | undefined)[][];
  readonly #retries: Try[] = [];
  #wishes = 0;
  #attempts = 0;
  #underWay = 0;
  #addresses = 0;

  constructor(options: OpenLoopOptions) {
    this.#options = options;
    this.#kept = options.gateways.map(() => new Array(options.keptPerGateway).fill(undefined));
  }

  get attempts(): number {
    return this.#attempts;
  }

  /** Runs until told to stop, and then until every attempt has its outcome, which takes at most 7 seconds. */
  async run(stopped: AbortSignal): Promise<void> {
    const startMs = performance.now();
    let scheduled = 0;
    while (!stopped.aborted) {
      const due = Math.floor(((performance.now() - startMs) / 1_000) * this.#options.attemptsPerSecond);
      for (; scheduled < due; scheduled += 1) {
        if (this.#underWay < mostUnderWay) this.#attempt(this.#nextTry());
      }
      await new Promise((resolve) => setTimeout(resolve, tickMs));
    }
    const endMs = performance.now() + connectMs + answerMs;
    while (this.#underWay > 0 && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, tickMs));
    for (const connection of this.#kept.flat()) connection?.close();
  }

  /** A wish whose time for another try has come, else a new one: retries do not add to the rate. */
  #nextTry(): Try {
    const index = this.#retries.findIndex((retry) => retry.dueMs <= performance.now());
    const [retry] = index < 0 ? [] : this.#retries.splice(index, 1);
    if (retry !== undefined) return retry;
    this.#wishes += 1;
    return { wish: this.#options.pool.next(), number: this.#wishes, tries: 0, dueMs: 0 };
  }

  async #attempt({ wish, number, tries }: Try): Promise<void> {
    const { name, gateways, random, newConnectionShare, onRecord } = this.#options;
    const gatewayNumber = this.#attempts % gateways.length;
    this.#attempts += 1;
    this.#underWay += 1;
    const attempt = `${name}/${number}.${tries}`;
    const [connection, kept] = this.#connection(gatewayNumber, random.next() < newConnectionShare);
    const askedAtMs = Date.now();
    const question = { ...wish.question, clientVersion: attempt };
    const outcome = await connection.ask(question, askedAtMs + wish.clockAheadMs);
    const { application, edition, cmid, machineClass } = question;
    const gateway = (gateways[gatewayNumber] as GatewayTarget).name;
    onRecord({
      attempt,
      gateway,
      application,
      edition,
      cmid,
      machineClass,
      kept: kept === 'kept',
      askedAtMs,
      answeredAtMs: Date.now(),
      outcome,
    });
    this.#underWay -= 1;
    if (kept === 'single') connection.close();
    if (outcome.kind !== 'answer') this.#tryAgain({ wish, number, tries: tries + 1, dueMs: retryAtMs(outcome) });
  }

  #tryAgain(again: Try): void {
    this.#retries.push(again);
    if (this.#retries.length > mostRetries) this.#retries.shift();
  }

  /** A connection: one of its own, or a kept one, which is opened again when it has ended. */
  #connection(gatewayNumber: number, single: boolean): [LoadConnection, 'single' | 'kept' | 'opened'] {
    if (single) return [this.#open(gatewayNumber), 'single'];
    const connections = this.#kept[gatewayNumber] as (LoadConnection | undefined)[];
    const place = this.#options.random.integer(0, connections.length - 1);
    const present = connections[place];
    if (present?.usable) return [present, 'kept'];
    const opened = this.#open(gatewayNumber);
    connections[place] = opened;
    return [opened, 'opened'];
  }

  #open(gatewayNumber: number): LoadConnection {
    const { name, host, port } = this.#options.gateways[gatewayNumber] as GatewayTarget;
    this.#addresses = (this.#addresses + 1) % 250;
    const options: LoadConnectionOptions = {
      host,
      port,
      // Clients have addresses of their own, which the limits per address go by.
      localAddress: `127.0.1.${this.#addresses + 1}`,
      vendorKeys: this.#options.vendorKeys,
      connectMs,
      answerMs,
      onIdleReset: () => this.#options.onIdleReset(name),
    };
    return new LoadConnection(options);
  }
}

/** When to try again, on the monotonic clock: as the host advised. */
function retryAtMs(outcome: Outcome): number {
  const advisedMs = outcome.kind === 'advice' ? outcome.retryAfterMs : 0;
  return performance.now() + (advisedMs > 0 ? advisedMs : usualRetryMs);
}
