import type { CheckReport } from './check/checker.ts';
import type { FaultSite } from './fault-site.ts';
import { type Fare, fareBetween, Observations, percentile } from './observations.ts';
import { pause } from './until.ts';

/** What a long outage of NATS is told. */
export interface OutageOptions {
  readonly seed: number;
  /** How long NATS is down under load. */
  readonly seconds: number;
  readonly attemptsPerSecond: number;
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** What was found. Latencies in milliseconds. */
export interface OutageReport {
  readonly seed: number;
  readonly seconds: number;
  readonly before: FareSummary;
  readonly during: FareSummary;
  /** From NATS's return until every row of the log was in the stream. */
  readonly caughtUpAfterMs: number;
  /** How much the resident memory of each gateway and counting grew at most, MiB, against before the outage. */
  readonly grownMebibytes: Readonly<Record<string, number>>;
  readonly check: CheckReport | undefined;
  readonly problems: readonly string[];
}

export interface FareSummary {
  readonly attempts: number;
  readonly answered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const mebibyte = 1024 * 1024;
/** Load before the outage: what young processes take for themselves has been taken by then. */
const settlingSeconds = 20;
const measuredBeforeSeconds = 10;
const lastAnswersMs = 7_500;
const lookAtMemoryEveryMs = 500;

const mostGrowthMebibytes = 50;

/**
 * How the services are run. Left alone, V8 lets its young generation grow to three times 32 MiB while a relay catches up,
 * and keeps it: garbage, which would hide what the service itself keeps. The heap that lives was 35 MiB all the time.
 */
export const outageNodeFlags = ['--max-semi-space-size=4'];

/**
 * How much slower activation may be without NATS at p99. REFERENCES R7 has the factor; the allowance is for a machine that
 * others use as well, and small against what a client would notice.
 */
const mostP99Factor = 1.2;
const p99AllowanceMs = 250;

/** Takes NATS away for a long stretch of load: activation goes on, and every event arrives afterwards. */
export async function runNatsOutage(site: FaultSite, options: OutageOptions): Promise<OutageReport> {
  const { seed, seconds, attemptsPerSecond, progress, signal } = options;
  const { nats, gateways, countings } = site.stack;
  const load = site.startLoad({ name: 'outage', seed, attemptsPerSecond, keptPerGateway: 8, newConnectionShare: 0.25 });
  const checker = site.startChecker();
  const observations = new Observations(site.answersFile);
  const memory = new MemoryWatch([...gateways, ...countings]);
  const problems: string[] = [];
  let before = fareBetween([], 0, 0);
  let during = before;
  let caughtUpAfterMs = 0;
  let check: CheckReport | undefined;
  try {
    progress(`${settlingSeconds} s of load before NATS goes.`);
    await pause(settlingSeconds * 1_000);
    memory.start();
    const downAtMs = Date.now();
    await nats.kill({ stayDown: true });
    progress(`NATS is down for ${seconds} s.`);
    await pauseUnlessAborted(seconds * 1_000, signal);
    const upAtMs = Date.now();
    await nats.start();
    progress('NATS is back.');
    check = await checker.check('check');
    caughtUpAfterMs = Date.now() - upAtMs;
    await pause(lastAnswersMs);
    const records = observations.update();
    before = fareBetween(records, downAtMs - measuredBeforeSeconds * 1_000, downAtMs);
    during = fareBetween(records, downAtMs, upAtMs);
    memory.stop();
    await load.stop();
    check = await checker.check('final');
    if (check.violations > 0) problems.push(`${check.violations} violations.`);
  } catch (error) {
    problems.push((error as Error).message);
  } finally {
    memory.stop();
    load.kill();
    await checker.close();
    observations.close();
  }
  problems.push(...judge(before, during, memory.grownMebibytes));
  return {
    seed,
    seconds,
    before: summarize(before),
    during: summarize(during),
    caughtUpAfterMs,
    grownMebibytes: memory.grownMebibytes,
    check,
    problems,
  };
}

function judge(before: Fare, during: Fare, grown: Readonly<Record<string, number>>): string[] {
  const problems: string[] = [];
  if (during.attempts === 0 || during.answered < during.attempts) {
    problems.push(`Without NATS, only ${during.answered} of ${during.attempts} attempts had an answer.`);
  }
  const [was, is] = [summarize(before).p99Ms, summarize(during).p99Ms];
  if (is > was * mostP99Factor + p99AllowanceMs) {
    problems.push(`Without NATS, activation took ${is} ms at p99, and ${was} ms before.`);
  }
  for (const [name, mebibytes] of Object.entries(grown)) {
    if (mebibytes >= mostGrowthMebibytes) problems.push(`${name} has grown by ${mebibytes} MiB without NATS.`);
  }
  return problems;
}

function summarize({ attempts, answered, latenciesMs }: Fare): FareSummary {
  return { attempts, answered, p50Ms: percentile(latenciesMs, 0.5), p99Ms: percentile(latenciesMs, 0.99) };
}

/** Looks at the resident memory of processes all the time. */
class MemoryWatch {
  readonly #processes: FaultSite['processes'];
  readonly #first = new Map<string, number>();
  readonly #most = new Map<string, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(processes: FaultSite['processes']) {
    this.#processes = processes;
  }

  start(): void {
    for (const process of this.#processes) this.#first.set(process.name, process.residentBytes());
    this.#timer = setInterval(() => {
      for (const process of this.#processes) {
        this.#most.set(process.name, Math.max(this.#most.get(process.name) ?? 0, process.residentBytes()));
      }
    }, lookAtMemoryEveryMs);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  get grownMebibytes(): Record<string, number> {
    const grown = [...this.#first].map(([name, first]): [string, number] => {
      return [name, Number((((this.#most.get(name) ?? first) - first) / mebibyte).toFixed(1))];
    });
    return Object.fromEntries(grown);
  }
}

async function pauseUnlessAborted(milliseconds: number, signal: AbortSignal): Promise<void> {
  const endMs = performance.now() + milliseconds;
  while (!signal.aborted && performance.now() < endMs) await pause(Math.min(500, endMs - performance.now()));
}
