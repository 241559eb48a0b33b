import type { StackProcess } from '../stack/stack.ts';
import type { AnswerRecord } from './answer-record.ts';
import type { CheckReport } from './check/checker.ts';
import type { FaultSite } from './fault-site.ts';
import { fareBetween, Observations } from './observations.ts';
import { pause } from './until.ts';

/** What a rolling restart is told. */
export interface RollingRestartOptions {
  readonly seed: number;
  readonly attemptsPerSecond: number;
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** What was found. */
export interface RollingRestartReport {
  readonly seed: number;
  /** How each service went and came, in order. */
  readonly restarts: readonly Restart[];
  readonly attempts: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly check: CheckReport | undefined;
  readonly problems: readonly string[];
}

export interface Restart {
  readonly name: string;
  /** From SIGTERM to the end, milliseconds. */
  readonly endedAfterMs: number;
  /** From the start until it was ready, milliseconds. */
  readonly readyAfterMs: number;
}

const settlingMs = 3_000;
const betweenMs = 2_000;
const leastRequests = 3_000;
const longestMs = 120_000;

/**
 * Restarts every service, one by one, under load over kept and new connections (R13): no client sees a reset, or any
 * error other than a connection that it has to open again: one that was ended in order before an answer, or was refused.
 */
export async function runRollingRestart(
  site: FaultSite,
  options: RollingRestartOptions,
): Promise<RollingRestartReport> {
  const { seed, attemptsPerSecond, progress, signal } = options;
  const { policies, countings, gateways } = site.stack;
  const load = site.startLoad({
    name: 'rolling',
    seed,
    attemptsPerSecond,
    keptPerGateway: 16,
    newConnectionShare: 0.4,
  });
  const checker = site.startChecker();
  const observations = new Observations(site.answersFile);
  const restarts: Restart[] = [];
  const problems: string[] = [];
  let check: CheckReport | undefined;
  const startMs = Date.now();
  try {
    await pause(settlingMs);
    for (const process of [...policies, ...countings, ...gateways]) {
      if (signal.aborted) break;
      restarts.push(await restart(process, problems));
      progress(describe(restarts.at(-1)));
      await pause(betweenMs);
    }
    while (observations.update().length < leastRequests && Date.now() - startMs < longestMs && !signal.aborted) {
      await pause(betweenMs);
    }
    const { idleResets } = await load.stop();
    for (const [name, number] of idleResets) problems.push(`${number} idle connections to ${name} were reset.`);
    check = await checker.check('final');
    if (check.violations > 0) problems.push(`${check.violations} violations.`);
  } catch (error) {
    problems.push((error as Error).message);
  } finally {
    load.kill();
    await checker.close();
  }
  const records = observations.update();
  observations.close();
  problems.push(...judge(records, gateways));
  const { attempts, outcomes } = fareBetween(records, 0, Number.POSITIVE_INFINITY);
  return { seed, restarts, attempts, outcomes, check, problems };
}

async function restart(process: StackProcess, problems: string[]): Promise<Restart> {
  const termMs = performance.now();
  const end = await process.terminate();
  const endedMs = performance.now();
  if (end.code !== 0) problems.push(`${process.name} did not end in order: ${end.signal ?? `code ${end.code}`}.`);
  await process.start();
  return {
    name: process.name,
    endedAfterMs: Math.round(endedMs - termMs),
    readyAfterMs: Math.round(performance.now() - endedMs),
  };
}

function describe(restart: Restart | undefined): string {
  return `${restart?.name} ended after ${restart?.endedAfterMs} ms and was ready after ${restart?.readyAfterMs} ms more.`;
}

/** What clients saw that they may not see, a sentence for each kind. */
function judge(records: readonly AnswerRecord[], gateways: readonly StackProcess[]): string[] {
  const problems: string[] = [];
  if (records.length < leastRequests) problems.push(`Only ${records.length} requests were made, not ${leastRequests}.`);
  const bad = records.filter((record) => !isAnswerOrRetriedConnection(record));
  const examples = bad.slice(0, 5).map((record) => JSON.stringify(record));
  if (bad.length > 0)
    problems.push(`${bad.length} requests failed otherwise than by a connection to be opened again.`, ...examples);
  for (const { name } of gateways) {
    if (!records.some(({ gateway, kept }) => gateway === name && kept))
      problems.push(`${name} had no kept connection.`);
  }
  return problems;
}

function isAnswerOrRetriedConnection({ outcome }: AnswerRecord): boolean {
  return outcome.kind === 'answer' || (outcome.kind === 'failed' && ['closed', 'refused'].includes(outcome.reason));
}
