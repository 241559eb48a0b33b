import { type LoadShape, type LoadSubject, loadShapes, loadSubjects, subjectTitles } from './cases.ts';
import type { LoadOrder, LoadResult, ReplyBytes } from './messages.ts';
import { type MusterProcess, startMuster } from './muster-process.ts';
import { Helper, type Resources } from './resources.ts';
import { type Spread, spreadOf } from './spread.ts';

/** One shape asked about one subject, over all rounds. */
export interface LoadFigures {
  readonly shape: LoadShape;
  readonly subject: LoadSubject;
  readonly perSecond: Spread;
  readonly p50Ms: Spread;
  readonly p99Ms: Spread;
  /** Median answers per second as a part of the echo's. */
  readonly ofEcho: number;
  readonly generatorBusy: Spread;
  readonly verified: number;
}

export interface LoadOptions {
  readonly seconds: number;
  readonly rounds: number;
  readonly progress: (text: string) => void;
}

const warmUpSeconds = 1;
/** What a round may take beyond its seconds before it is given up. */
const slackMs = 60_000;
const echoMs = 10_000;

/**
 * Measures every shape: a warm-up, then rounds in which the subjects take turns, so that whatever the machine does
 * meanwhile hits all of them.
 *
 * @throws Error when a single answer was wrong or missing.
 */
export async function measureLoad(resources: Resources, site: string, options: LoadOptions): Promise<LoadFigures[]> {
  const muster = await startMuster(resources, site);
  const bench: Bench = {
    muster,
    generator: new Helper('load-generator.ts', resources),
    echo: new Helper('echo-server.ts', resources),
  };
  const figures: LoadFigures[] = [];
  for (const shape of loadShapes) figures.push(...(await measureShape(bench, shape, options)));
  await muster.stop();
  return figures;
}

interface Bench {
  readonly muster: MusterProcess;
  readonly generator: Helper<LoadOrder, LoadResult>;
  readonly echo: Helper<ReplyBytes, number>;
}

async function measureShape(bench: Bench, shape: LoadShape, options: LoadOptions): Promise<LoadFigures[]> {
  const { rounds, seconds, progress } = options;
  await measureRound(bench, shape, warmUpSeconds);
  const measured: Record<LoadSubject, LoadResult>[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const results = await measureRound(bench, shape, seconds);
    const each = loadSubjects.map(
      (subject) => `${subjectTitles[subject]} ${Math.round(results[subject].answersPerSecond)}/s`,
    );
    progress(`${shape.title}, round ${round} of ${rounds}: ${each.join(', ')}`);
    measured.push(results);
  }
  const echoPerSecond = spreadOf(measured.map((results) => results.echo.answersPerSecond)).median;
  return loadSubjects.map((subject) =>
    toFigures(
      shape,
      subject,
      measured.map((results) => results[subject]),
      echoPerSecond,
    ),
  );
}

async function measureRound(bench: Bench, shape: LoadShape, seconds: number): Promise<Record<LoadSubject, LoadResult>> {
  const { muster, generator, echo } = bench;
  const run = async (subject: LoadSubject, port: number): Promise<LoadResult> => {
    const order = { shape, subject, port, vendorKeyJwk: muster.vendorKeyJwk, seconds };
    const result = await generator.ask(order, seconds * 1_000 + slackMs);
    const errors = Object.entries(result.errors).map(([reason, times]) => `${times} times ${reason}`);
    if (errors.length > 0) throw new Error(`${shape.title}, ${subjectTitles[subject]}: ${errors.join('; ')}`);
    return result;
  };
  const first = await run('first', muster.port);
  const renewal = await run('renewal', muster.port);
  return { first, renewal, echo: await run('echo', await echo.ask(renewal.replyBytes, echoMs)) };
}

function toFigures(
  shape: LoadShape,
  subject: LoadSubject,
  results: readonly LoadResult[],
  echoPerSecond: number,
): LoadFigures {
  const perSecond = spreadOf(results.map((result) => result.answersPerSecond));
  return {
    shape,
    subject,
    perSecond,
    p50Ms: spreadOf(results.map((result) => result.p50Ms)),
    p99Ms: spreadOf(results.map((result) => result.p99Ms)),
    ofEcho: perSecond.median / echoPerSecond,
    generatorBusy: spreadOf(results.map((result) => result.generatorBusy)),
    verified: results.reduce((sum, result) => sum + result.verified, 0),
  };
}
