import { appendFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runCampaign } from './campaign.ts';
import { FaultSite } from './fault-site.ts';
import { outageNodeFlags, runNatsOutage } from './nats-outage.ts';
import type { Run } from './options.ts';
import { campaignText, outageText, rollingRestartText } from './report-text.ts';
import { runRollingRestart } from './rolling-restart.ts';

/** What all runs are told. */
export interface RunOptions {
  readonly seed: number;
  readonly attemptsPerSecond: number;
  /** Whether the directory is kept after a success as well. */
  readonly keep: boolean;
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** What every report has: what was not as it has to be, a sentence each. */
export interface Report {
  readonly problems: readonly string[];
}

/** A run's report, as programs and as people read it. */
export interface Finished {
  readonly report: Report;
  readonly text: string;
}

const mebibyte = 1024 * 1024;
/** An event takes about 800 bytes in the stream. */
const bytesPerEvent = 1_024;
const secondsPerRound = 10;
const otherSeconds = 120;

/** Does one run on a site of its own, which is gone afterwards; after a failure, its directory is left as evidence. */
export async function runOnce(run: Run, options: RunOptions): Promise<Finished> {
  let site: FaultSite;
  try {
    site = await startSite(run, options);
  } catch (error) {
    const { message } = error as Error;
    return { report: { problems: [message] }, text: `\n${message}\n` };
  }
  let keep = true;
  try {
    const progress = (line: string) => {
      appendFileSync(join(site.directory, 'progress.log'), `${new Date().toISOString()} ${line}\n`);
      options.progress(line);
    };
    const finished = await runOn(site, run, { ...options, progress });
    const failed = finished.report.problems.length > 0;
    keep = options.keep || (failed && !options.signal.aborted);
    writeFileSync(join(site.directory, 'report.json'), `${JSON.stringify(finished.report, undefined, 2)}\n`);
    return finished;
  } finally {
    await site.stop(keep);
    if (keep) options.progress(`Logs, answers and the report are in ${site.directory}.`);
  }
}

function startSite(run: Run, { attemptsPerSecond, progress, signal }: RunOptions): Promise<FaultSite> {
  const seconds =
    run.kind === 'rounds'
      ? run.rounds * Math.max(secondsPerRound, run.secondsPerRound)
      : otherSeconds + (run.kind === 'nats-outage' ? run.seconds : 0);
  return FaultSite.start({
    // How a client's connection ends when its gateway is restarted is not to be told by a proxy.
    clientsThroughLinks: run.kind !== 'rolling-restart',
    natsStoreBytes: 64 * mebibyte + seconds * attemptsPerSecond * bytesPerEvent,
    nodeFlags: run.kind === 'nats-outage' ? outageNodeFlags : [],
    progress,
    signal,
  });
}

async function runOn(site: FaultSite, run: Run, options: RunOptions): Promise<Finished> {
  if (run.kind === 'rounds') {
    const report = await runCampaign(site, { ...options, ...run });
    return { report, text: campaignText(report) };
  }
  if (run.kind === 'nats-outage') {
    const report = await runNatsOutage(site, { ...options, ...run });
    return { report, text: outageText(report) };
  }
  const report = await runRollingRestart(site, options);
  return { report, text: rollingRestartText(report) };
}
