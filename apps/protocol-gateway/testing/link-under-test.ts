import type { CountBatch, CountRequest } from '@muster/contracts/counting';
import { createLogger, ManualClock } from '@muster/service-kit';
import { CountingLink, type CountingLinkOptions } from '../src/counting-link.ts';
import { ControlledCounting } from './controlled-counting.ts';

export const deadlineMs = 900;

/** How often a gateway sweeps its link. */
export const sweepMs = 50;

/** A link that carries numbers to a counting that a test controls, and what became of them. */
export class LinkUnderTest {
  readonly counting = new ControlledCounting();
  readonly clock = new ManualClock(0);
  readonly answered: (readonly [item: number, count: number])[] = [];
  readonly failed: (readonly [item: number, reason: string])[] = [];
  readonly link: CountingLink<number>;

  constructor(options: Partial<Pick<CountingLinkOptions<number>, 'batchRequests' | 'lanes' | 'random'>> = {}) {
    this.link = new CountingLink<number>({
      counting: this.counting,
      clock: this.clock,
      logger: createLogger('test', 'silent'),
      toBatch: (batchId, items) => ({ batchId, gatewayId: 'gateway-1', rules: [], requests: items.map(requestOf) }),
      outcome: {
        answered: (items, results) =>
          this.answered.push(...items.map((item, n) => [item, results[n]?.count ?? -1] as const)),
        failed: (items, reason) => this.failed.push(...items.map((item) => [item, reason] as const)),
      },
      batchRequests: 256,
      lanes: 2,
      deadlineMs,
      random: () => 0.5,
      ...options,
    });
  }

  /** A link whose lanes have been tried. */
  static async started(...parameters: ConstructorParameters<typeof LinkUnderTest>): Promise<LinkUnderTest> {
    const tested = new LinkUnderTest(...parameters);
    tested.link.start();
    await turns();
    return tested;
  }

  /** Submits items, and lets them leave. */
  async submit(...items: readonly number[]): Promise<void> {
    for (const item of items) this.link.submit(item);
    await turns();
  }

  /** Answers a batch or a probe, and lets the answer come. */
  async answer(batch: CountBatch, change?: Parameters<ControlledCounting['answer']>[1]): Promise<void> {
    this.counting.answer(batch, change);
    await turns();
  }

  /** Lets time pass, with the sweeps in it. */
  async pass(durationMs: number): Promise<void> {
    for (let passedMs = 0; passedMs < durationMs; passedMs += sweepMs) {
      this.clock.advance(Math.min(sweepMs, durationMs - passedMs));
      this.link.sweep();
      await turns();
    }
  }

  /** The items of each batch that waits for an answer. */
  get underWay(): readonly (readonly number[])[] {
    return this.counting.open.map(itemsOf);
  }

  /** The batch that waits for an answer the longest, of the first lane that has one. */
  get batch(): CountBatch {
    return first(this.counting.open);
  }

  get probe(): CountBatch {
    return first(this.counting.probes);
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export async function turns(count = 4): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

export const itemsOf = (batch: CountBatch) => batch.requests.map(({ threshold }) => threshold);

export const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

function first(batches: readonly CountBatch[]): CountBatch {
  const [batch] = batches;
  if (batch === undefined) throw new Error('nothing waits for an answer');
  return batch;
}

/** A request that carries its item where counting sees it. */
function requestOf(item: number): CountRequest {
  const none = new Uint8Array();
  return {
    application: 'windows',
    edition: 'vista-business',
    cmid: none,
    previousCmid: none,
    machineClass: 1,
    machineName: '',
    fingerprint: none,
    licenceStatus: 1,
    clientVersion: '',
    remoteAddress: '',
    raisesCount: true,
    threshold: item,
    refusal: 0,
  };
}
