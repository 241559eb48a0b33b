import { writeFileSync } from 'node:fs';
import { type FaultsOptions, help, parseOptions } from './options.ts';
import { type Report, runOnce } from './run-once.ts';

/** `npm run faults`. */
const interruptedCode = 130;
const progress = (line: string) => process.stderr.write(`${line}\n`);

const options = readOptions();
if (options.help) process.stdout.write(help);
else process.exitCode = await run(options);

function readOptions(): FaultsOptions {
  try {
    return parseOptions(process.argv.slice(2));
  } catch (error) {
    progress(`${(error as Error).message} Run it with --help for its options.`);
    process.exit(2);
  }
}

/** @returns the exit code. */
async function run({ runs, seed, attemptsPerSecond, json, keep }: FaultsOptions): Promise<number> {
  const interrupted = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => interrupted.abort());
  const { signal } = interrupted;
  progress(`Seed ${seed}: repeat it with --seed ${seed}.`);
  const reports: Report[] = [];
  for (const each of runs) {
    if (signal.aborted) break;
    const { report, text } = await runOnce(each, { seed, attemptsPerSecond, keep, progress, signal });
    reports.push(report);
    process.stdout.write(text);
  }
  if (json !== undefined) writeFileSync(json, `${JSON.stringify(reports, undefined, 2)}\n`);
  if (signal.aborted) return interruptedCode;
  return reports.every(({ problems }) => problems.length === 0) ? 0 : 1;
}
