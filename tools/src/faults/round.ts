import { type AppliedFault, applyFault, holdMsOf } from './applied-fault.ts';
import type { CheckReport } from './check/checker.ts';
import type { CheckerProcess } from './check/checker-process.ts';
import { describeFault, type Fault } from './fault.ts';
import type { FaultSite } from './fault-site.ts';
import type { LoadProcess } from './load/load-process.ts';
import { type Observations, workingSince } from './observations.ts';
import { pause, until } from './until.ts';

/** What a round needs. */
export interface RoundParts {
  readonly site: FaultSite;
  readonly load: LoadProcess;
  readonly checker: CheckerProcess;
  readonly observations: Observations;
  /** The least length of a round, milliseconds. */
  readonly leastMs: number;
}

/** How a round went. Times are milliseconds since 1970. */
export interface Round {
  readonly faults: readonly Fault[];
  /** What shows that the faults took effect; undefined when one did not. */
  readonly effects: readonly string[] | undefined;
  readonly startedAtMs: number;
  /** When the last fault was in force. */
  readonly injectedAtMs: number;
  /** When the first one ended. */
  readonly healedAtMs: number;
  /** From the end of the last fault until every gateway answered for good, milliseconds. */
  readonly recoveryMs: number;
  /** Signed answers in the round. */
  readonly answers: number;
  readonly check: CheckReport;
}

/** After its faults have ended, a site works again within this, without a hand. */
const longestRecoveryMs = 15_000;
/** A round with fewer activations proves nothing. */
export const leastAnswers = 100;
const lookEveryMs = 50;

/**
 * One round: faults in force under load, ended, everything works again by itself, everything committed so far is right.
 *
 * @throws Error when the site does not work again in time.
 */
export async function runRound(parts: RoundParts, faults: readonly Fault[]): Promise<Round> {
  const { site, load, checker, observations, leastMs } = parts;
  const startedAtMs = Date.now();
  observations.update();
  const applied: AppliedFault[] = [];
  for (const fault of faults) applied.push(await applyFault(site, fault));
  const injectedAtMs = Date.now();
  let healedAtMs = Number.POSITIVE_INFINITY;
  await Promise.all(
    faults.map(async (fault, index) => {
      await pause(holdMsOf(fault));
      healedAtMs = Math.min(healedAtMs, Date.now());
      await applied[index]?.heal();
    }),
  );
  const endedAtMs = Date.now();
  const recoveryMs = (await recovered(parts, endedAtMs, faults)) - endedAtMs;
  const answers = () => answersSince(observations, startedAtMs);
  await until(
    () => Date.now() - startedAtMs >= leastMs && (answers() >= leastAnswers || !load.running),
    `${leastAnswers} activations in a round`,
  );
  const check = await checker.check('check');
  const effects = applied.map((each) => each.effect()).filter((effect) => effect !== undefined);
  return {
    faults,
    effects: effects.length === faults.length ? effects : undefined,
    startedAtMs,
    injectedAtMs,
    healedAtMs,
    recoveryMs,
    answers: answers(),
    check,
  };
}

async function recovered(
  { site, load, observations }: RoundParts,
  endedAtMs: number,
  faults: readonly Fault[],
): Promise<number> {
  const gateways = site.stack.gateways.map(({ name }) => name);
  for (;;) {
    const sinceMs = workingSince(observations.update(), gateways, endedAtMs);
    if (sinceMs !== undefined) return sinceMs;
    if (!load.running) throw new Error('The process that makes the load has ended by itself.');
    if (Date.now() - endedAtMs > longestRecoveryMs) {
      const what = faults.map(describeFault).join(' and ');
      throw new Error(`Not every gateway gave answers within ${longestRecoveryMs} ms after "${what}".`);
    }
    await pause(lookEveryMs);
  }
}

function answersSince(observations: Observations, timeMs: number): number {
  const records = observations.update();
  return records.filter(({ askedAtMs, outcome }) => askedAtMs >= timeMs && outcome.kind === 'answer').length;
}
