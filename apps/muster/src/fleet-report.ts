import { FleetFileError, readFleet } from './fleet-file.ts';
import { type FleetResult, isFine, runFleet } from './fleet-run.ts';
import { colour, exitCodes, print, printJson, say, sayError } from './output.ts';
import { table } from './table.ts';
import { loadVendors } from './trusted-vendors.ts';

/** The options of `muster fleet run`, parsed. */
export interface FleetOptions {
  readonly host: { readonly host: string; readonly port: number };
  readonly concurrency: number;
  readonly application: string;
  readonly vendorKey: readonly string[];
  readonly answerSeconds: number;
  readonly json: boolean;
}

/** What a run came to, over all and for each edition. */
interface Summary {
  readonly rows: number;
  readonly granted: number;
  /** Refusals and failures, by code. */
  readonly refused: Readonly<Record<string, number>>;
  /** The highest count that a reply carried; null when none did. */
  readonly count: number | null;
}

/**
 * Runs a fleet file against a host and prints the results.
 *
 * @returns the exit code: 0, or 1 when a row failed for another reason than the count, or 2 when the file is wrong.
 * @throws MusterError when no vendor is known.
 */
export async function reportFleet(file: string, options: FleetOptions): Promise<number> {
  const vendorKeys = loadVendors(options.vendorKey);
  let machines: ReturnType<typeof readFleet>;
  try {
    machines = readFleet(file, options.application);
  } catch (error) {
    if (!(error instanceof FleetFileError)) throw error;
    for (const problem of error.problems.slice(1)) say(problem);
    sayError(error);
    return exitCodes.usage;
  }
  const interrupted = new AbortController();
  process.once('SIGINT', () => interrupted.abort());
  const progress = new Progress(machines.length);
  const results = await runFleet(machines, {
    ...options.host,
    vendorKeys,
    concurrency: options.concurrency,
    answerMs: options.answerSeconds * 1_000,
    onResult: (result) => progress.step(result),
    signal: interrupted.signal,
  });
  progress.end();
  if (options.json) printJson({ results, summary: { ...summarize(results), byEdition: byEdition(results) } });
  else printTables(results);
  if (interrupted.signal.aborted) {
    say(`Interrupted: ${results.length} of ${machines.length} machines have asked. The run can simply be repeated.`);
    return exitCodes.interrupted;
  }
  return results.every(isFine) ? exitCodes.success : exitCodes.failure;
}

function summarize(results: readonly FleetResult[]): Summary {
  const refused: Record<string, number> = {};
  let granted = 0;
  let count: number | null = null;
  for (const result of results) {
    if (result.code === 'GRANTED') granted += 1;
    else refused[result.code] = (refused[result.code] ?? 0) + 1;
    if (result.count !== null) count = Math.max(count ?? 0, result.count);
  }
  return { rows: results.length, granted, refused, count };
}

function byEdition(results: readonly FleetResult[]): Readonly<Record<string, Summary>> {
  const editions = [...new Set(results.map((result) => result.edition))];
  return Object.fromEntries(
    editions.map((edition) => [edition, summarize(results.filter((result) => result.edition === edition))]),
  );
}

function printTables(results: readonly FleetResult[]): void {
  const rows = Object.entries(byEdition(results)).map(([edition, summary]) => [
    edition,
    String(summary.rows),
    String(summary.granted),
    Object.entries(summary.refused)
      .map(([code, number]) => `${code} ${number}`)
      .join('\n') || '-',
    summary.count === null ? '-' : String(summary.count),
  ]);
  print(table(['edition', 'machines', 'granted', 'refused', 'count seen'], rows));
  const failures = results.filter((result) => !isFine(result));
  for (const { machineName, code, message } of failures.slice(0, 10)) {
    say(`${colour('red', code, process.stderr)} ${machineName}: ${message ?? 'refused by the host'}`);
  }
  if (failures.length > 10) say(`... and ${failures.length - 10} more; --json lists all.`);
}

/** One line on a terminal that is written over; elsewhere a line now and then in a long run. */
class Progress {
  readonly #total: number;
  readonly #stream = process.stderr;
  readonly #linesEvery: number;
  #done = 0;
  #granted = 0;

  constructor(total: number) {
    this.#total = total;
    this.#linesEvery = Math.max(1_000, Math.ceil(total / 10));
  }

  step(result: FleetResult): void {
    this.#done += 1;
    if (result.code === 'GRANTED') this.#granted += 1;
    const count = result.count === null ? '' : `, count ${result.count}`;
    const line = `${this.#done} of ${this.#total} asked, ${this.#granted} granted${count}`;
    if (this.#stream.isTTY) this.#stream.write(`\r\x1b[K${line}`);
    else if (this.#done % this.#linesEvery === 0) say(line);
  }

  end(): void {
    if (this.#stream.isTTY) this.#stream.write('\r\x1b[K');
  }
}
