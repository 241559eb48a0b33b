import { writeFileSync } from 'node:fs';
import { countLines } from './count-lines.ts';
import { measureLoad } from './measure-load.ts';
import { measureStartUp } from './measure-start-up.ts';
import { type BenchOptions, help, parseOptions } from './options.ts';
import { describeMachine, type Report } from './report.ts';
import { Resources } from './resources.ts';
import { textReport } from './text-report.ts';

const progress = (text: string) => process.stderr.write(`${text}\n`);

const options = readOptions();
if (options.help) process.stdout.write(help);
else process.exitCode = await bench(options);

function readOptions(): BenchOptions {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    progress(`${(error as Error).message} Run it with --help for its options.`);
    process.exit(2);
  }
}

/** @returns the exit code. */
async function bench({ seconds, rounds, json }: BenchOptions): Promise<number> {
  const resources = new Resources();
  let interrupted = false;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(name, () => {
      interrupted = true;
      resources.close().finally(() => process.exit(130));
    });
  }
  try {
    const report = await measure(resources, seconds, rounds);
    process.stdout.write(textReport(report));
    if (json !== undefined) writeFileSync(json, `${JSON.stringify(report, null, 2)}\n`);
    return 0;
  } catch (error) {
    if (interrupted) return 130;
    progress(`The benchmark failed: ${(error as Error).message}`);
    return 1;
  } finally {
    await resources.close();
  }
}

async function measure(resources: Resources, seconds: number, rounds: number): Promise<Report> {
  const startedAt = new Date().toISOString();
  // Before the load, so that the commit is the one that is measured.
  const machine = describeMachine();
  const load = await measureLoad(resources, 'site', { seconds, rounds, progress });
  const startUp = await measureStartUp(resources, 'site', progress);
  return { startedAt, machine, seconds, rounds, load, startUp, lines: countLines() };
}
