import { randomUUID } from 'node:crypto';
import { ActivationConnection } from '@muster/client';
import { publicKeyFromJwk, vendorKeys } from '@muster/trust';
import { startMuster } from './muster-process.ts';
import { question } from './request-template.ts';
import type { Resources } from './resources.ts';
import { type Spread, spreadOf } from './spread.ts';

/** Milliseconds from starting the process to its first answer, verified. */
export interface StartUpFigures {
  /** In an empty data directory. */
  readonly freshMs: Spread;
  /** In the data directory of the load. */
  readonly existingMs: Spread;
}

const starts = 3;

/** @param site the data directory that has been in use. */
export async function measureStartUp(
  resources: Resources,
  site: string,
  progress: (text: string) => void,
): Promise<StartUpFigures> {
  const freshMs: number[] = [];
  const existingMs: number[] = [];
  for (let start = 1; start <= starts; start += 1) {
    freshMs.push(await firstAnswerMs(resources, `fresh-${start}`));
    existingMs.push(await firstAnswerMs(resources, site));
    progress(
      `start ${start} of ${starts}: fresh ${freshMs.at(-1)?.toFixed()} ms, existing ${existingMs.at(-1)?.toFixed()} ms`,
    );
  }
  return { freshMs: spreadOf(freshMs), existingMs: spreadOf(existingMs) };
}

async function firstAnswerMs(resources: Resources, site: string): Promise<number> {
  const startMs = performance.now();
  const muster = await startMuster(resources, site);
  const connection = await ActivationConnection.open({
    host: '127.0.0.1',
    port: muster.port,
    vendorKeys: vendorKeys(publicKeyFromJwk(muster.vendorKeyJwk)),
  });
  await connection.activate({
    ...question,
    cmid: randomUUID(),
    machineClass: 'physical',
    licenceStatus: 'unlicensed',
    minutesLeft: 0,
    clientVersion: 'muster-bench/0.1.0',
  });
  const tookMs = performance.now() - startMs;
  connection.close();
  await muster.stop();
  return tookMs;
}
