import { parseArgs } from 'node:util';

/** What the benchmark was asked for. */
export interface BenchOptions {
  readonly seconds: number;
  readonly rounds: number;
  /** Where the report goes as JSON. */
  readonly json: string | undefined;
  readonly help: boolean;
}

export const help = `Usage: npm run bench -- [options]

Measures activations per second and their latency over new and kept connections, beside a raw TCP echo of
the same frames; the start-up time; and the lines of code. The table goes to standard output, progress to
standard error.

Options:
  --seconds <n>   length of a round, 1 to 600 (default: 3)
  --rounds <n>    rounds of each case, 1 to 100 (default: 3)
  --json <file>   write the report as JSON too
  --help          print this

Exit codes: 0 done, 1 an answer was wrong or missing, 2 wrong usage, 130 interrupted.
`;

/** @throws Error saying what is wrong with the usage. */
export function parseOptions(parameters: readonly string[]): BenchOptions {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      seconds: { type: 'string', default: '3' },
      rounds: { type: 'string', default: '3' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  return {
    seconds: wholeNumber('--seconds', values.seconds, 600),
    rounds: wholeNumber('--rounds', values.rounds, 100),
    json: values.json,
    help: values.help,
  };
}

function wholeNumber(name: string, text: string, most: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= 1 && number <= most) return number;
  throw new Error(`${name} is a whole number from 1 to ${most}, not ${text}.`);
}
