import { balance } from './balance.ts';
import type { CheckReport } from './check/checker.ts';
import { Dealer } from './deck.ts';
import { describeFault, type FaultKind } from './fault.ts';
import type { FaultSite } from './fault-site.ts';
import { brokenPromises, type KindMeasure, measuredKind } from './measured-kinds.ts';
import { fareBetween, Observations, percentile } from './observations.ts';
import { leastAnswers, type Round, type RoundParts, runRound } from './round.ts';
import { SeededRandom } from './seeded-random.ts';
import { pause } from './until.ts';

/** What a campaign is told. */
export interface CampaignOptions {
  readonly seed: number;
  readonly rounds: number;
  /** One kind of fault alone. */
  readonly only: FaultKind | undefined;
  /** The least length of a round. */
  readonly secondsPerRound: number;
  readonly attemptsPerSecond: number;
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** What a campaign found. */
export interface CampaignReport {
  readonly seed: number;
  readonly rounds: number;
  /** Rounds that did not count and were made again. */
  readonly repeated: number;
  readonly diskFullBy: string;
  readonly kinds: readonly KindSummary[];
  readonly balance: Readonly<Record<string, number>>;
  /** Ends of processes that nobody had asked for, by process. */
  readonly crashes: Readonly<Record<string, number>>;
  readonly natsLivenessKills: number;
  readonly check: CheckReport | undefined;
  /** What was not as it has to be, a sentence each; empty when all is well. */
  readonly problems: readonly string[];
}

/** One line of the table at the end. Times in milliseconds. */
export interface KindSummary {
  readonly kind: string;
  readonly rounds: number;
  readonly attempts: number;
  /** Signed answers, of all attempts that were made during the fault. */
  readonly answeredShare: number;
  readonly p99Ms: number;
  readonly recoveryP50Ms: number;
  readonly recoveryMaxMs: number;
}

interface Measure {
  readonly measured: ReturnType<typeof measuredKind>;
  readonly round: Round;
}

/** Attempts have their outcome after this: 2 s for the connection, 5 s for the answer, and a moment. */
const settledMs = 7_500;
const warmUpMs = 3_000;
/** How many rounds that do not count may be made again in all: a tenth, and a few at least. */
const mostRepetitions = (rounds: number) => Math.max(5, rounds / 10);

/** Runs the rounds on a site that is ready, and judges. */
export async function runCampaign(site: FaultSite, options: CampaignOptions): Promise<CampaignReport> {
  const { seed, progress } = options;
  const random = new SeededRandom(seed);
  const load = site.startLoad({
    name: 'campaign',
    seed,
    attemptsPerSecond: options.attemptsPerSecond,
    keptPerGateway: 8,
    newConnectionShare: 0.25,
  });
  const checker = site.startChecker();
  const observations = new Observations(site.answersFile);
  const parts: RoundParts = { site, load, checker, observations, leastMs: options.secondsPerRound * 1_000 };
  const measures = new Measures(observations);
  const problems: string[] = [];
  let repeated = 0;
  let check: CheckReport | undefined;
  try {
    await pause(warmUpMs);
    const unused = site.links.filter(({ proxy }) => proxy.bytesSeen === 0).map(({ name }) => name);
    if (unused.length > 0) progress(`Links that nobody uses are left alone: ${unused.join(', ')}.`);
    const dealer = new Dealer(topologyOf(site, unused), random.branch('faults'), options.only);
    let faults = dealer.next();
    for (let number = 1; number <= options.rounds && !options.signal.aborted; ) {
      const round = await runRound(parts, faults);
      const vacuous = whyVacuous(round);
      progress(roundLine(number, options.rounds, round, vacuous));
      check = round.check;
      if (check.violations > 0) throw new Error(`${check.violations} violations after round ${number}.`);
      measures.add(round);
      if (vacuous === undefined) {
        number += 1;
        faults = dealer.next();
      } else {
        repeated += 1;
        if (repeated > mostRepetitions(options.rounds)) {
          throw new Error(`Too many rounds proved nothing; the last one because ${vacuous}.`);
        }
      }
    }
    const { idleResets } = await load.stop();
    progress(`Clients have ended; ${[...idleResets.values()].reduce((sum, each) => sum + each, 0)} idle resets.`);
    check = await checker.check('final');
    if (check.violations > 0) problems.push(`${check.violations} violations at the end.`);
  } catch (error) {
    problems.push((error as Error).message);
  } finally {
    load.kill();
    await checker.close();
  }
  const kinds = measures.finish();
  problems.push(...kinds.flatMap(brokenPromises));
  const shares = balance(site, check);
  // A campaign of a few rounds or of one kind only may leave a replica without work by chance; a whole one may not.
  if (problems.length === 0) {
    for (const [name, share] of Object.entries(shares)) if (share === 0) problems.push(`${name} did no work.`);
  }
  observations.close();
  return {
    seed,
    rounds: options.rounds,
    repeated,
    diskFullBy: site.natsStore.isMounted ? 'a full file system (tmpfs)' : 'the limit of the stream (no right to mount)',
    kinds: kinds.map(summarize),
    balance: shares,
    crashes: crashesOf(site),
    natsLivenessKills: site.natsLivenessKills,
    check,
    problems,
  };
}

function topologyOf({ stack, links }: FaultSite, unused: readonly string[]) {
  const namesOf = (processes: readonly { readonly name: string }[]) => processes.map(({ name }) => name);
  return {
    policies: namesOf(stack.policies),
    countings: namesOf(stack.countings),
    gateways: namesOf(stack.gateways),
    links: namesOf(links).filter((name) => !unused.includes(name)),
  };
}

/** Why a round proves nothing; undefined when it does. */
function whyVacuous({ effects, answers }: Round): string | undefined {
  if (effects === undefined) return 'a fault took no effect';
  return answers < leastAnswers ? `it had only ${answers} activations` : undefined;
}

/** Collects how clients fared in rounds with one fault, once every attempt of the round has its outcome. */
class Measures {
  readonly #observations: Observations;
  readonly #kinds = new Map<string, KindMeasure>();
  #pending: Measure[] = [];

  constructor(observations: Observations) {
    this.#observations = observations;
  }

  add(round: Round): void {
    const [fault] = round.faults;
    if (fault !== undefined && round.faults.length === 1) {
      this.#pending.push({ measured: measuredKind(fault), round });
    }
    this.#settle(Date.now() - settledMs);
    const oldestMs = this.#pending[0]?.round.startedAtMs ?? Date.now() - settledMs;
    this.#observations.forgetBefore(Math.min(oldestMs, round.startedAtMs));
  }

  finish(): KindMeasure[] {
    this.#settle(Number.POSITIVE_INFINITY);
    return [...this.#kinds.values()].toSorted((one, other) => one.kind.localeCompare(other.kind));
  }

  #settle(untilMs: number): void {
    const records = this.#observations.update();
    for (const { measured, round } of this.#pending.filter((each) => each.round.healedAtMs <= untilMs)) {
      const { injectedAtMs, healedAtMs, recoveryMs } = round;
      const before = this.#kinds.get(measured.kind);
      this.#kinds.set(measured.kind, {
        ...measured,
        fares: [...(before?.fares ?? []), fareBetween(records, injectedAtMs, healedAtMs)],
        recoveriesMs: [...(before?.recoveriesMs ?? []), recoveryMs],
      });
    }
    this.#pending = this.#pending.filter((each) => each.round.healedAtMs > untilMs);
  }
}

function summarize({ kind, fares, recoveriesMs }: KindMeasure): KindSummary {
  const attempts = fares.reduce((sum, fare) => sum + fare.attempts, 0);
  const answered = fares.reduce((sum, fare) => sum + fare.answered, 0);
  return {
    kind,
    rounds: fares.length,
    attempts,
    answeredShare: attempts === 0 ? 1 : answered / attempts,
    p99Ms: percentile(
      fares.flatMap((fare) => fare.latenciesMs),
      0.99,
    ),
    recoveryP50Ms: percentile(recoveriesMs, 0.5),
    recoveryMaxMs: percentile(recoveriesMs, 1),
  };
}

function crashesOf({ processes }: FaultSite): Record<string, number> {
  const crashes: Record<string, number> = {};
  for (const { name, runs } of processes) {
    const number = runs.filter(({ end }) => end !== undefined && !end.asked).length;
    if (number > 0) crashes[name] = number;
  }
  return crashes;
}

function roundLine(number: number, rounds: number, round: Round, vacuous: string | undefined): string {
  const { faults, answers, recoveryMs, check } = round;
  const [lowest, highest] = check.counts;
  const seconds = ((Date.now() - round.startedAtMs) / 1_000).toFixed(1);
  const end = vacuous === undefined ? '' : ` - does not count: ${vacuous}`;
  return (
    `${String(number).padStart(String(rounds).length)}/${rounds} ${faults.map(describeFault).join(' + ')}: ` +
    `${answers} answers, count ${lowest}..${highest}, works after ${recoveryMs} ms, ` +
    `in the stream after ${check.arrivedAfterMs} ms, ${check.rows} rows, ${check.violations} violations, ${seconds} s${end}`
  );
}
