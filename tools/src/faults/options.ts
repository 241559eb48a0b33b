import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { type FaultKind, faultKinds } from './fault.ts';

/** One thing to do with a site of its own. */
export type Run =
  | {
      readonly kind: 'rounds';
      readonly rounds: number;
      /** One kind of fault alone. */
      readonly only: FaultKind | undefined;
      /** The least length of a round. */
      readonly secondsPerRound: number;
    }
  | {
      readonly kind: 'nats-outage';
      /** How long NATS is down. */
      readonly seconds: number;
    }
  | { readonly kind: 'rolling-restart' };

/** What `npm run faults` was asked for. */
export interface FaultsOptions {
  readonly seed: number;
  readonly attemptsPerSecond: number;
  /** What is run, one after the other. */
  readonly runs: readonly Run[];
  readonly json: string | undefined;
  readonly keep: boolean;
  readonly help: boolean;
}

const outageOfCiSeconds = 30;

export const help = `Usage: npm run faults -- [options]

Starts a whole site (npm run stack), makes a steady load of activations and breaks something, round after round. After
each round everything has to work again by itself, and a separate program checks from the activation log, the JetStream
stream and what the clients wrote down that nothing was lost, counted twice or granted below its threshold.

Options:
  --seed <n>          repeats the faults of that seed, 0 to 4294967295 (default: a random one, which is printed)
  --rounds <n>        rounds of faults, 1 to 100000 (default: 60)
  --only <kind>       one kind of fault alone: ${faultKinds.slice(0, 5).join(', ')},
                      ${faultKinds.slice(5).join(', ')}
  --seconds <n>       least length of a round, 1 to 600 (default: 3)
  --rate <n>          attempts a second, 50 to 2000 (default: 150)
  --nats-outage <n>   instead of rounds: NATS is down for so many seconds of load, 5 to 86400
  --rolling-restart   instead of rounds: every service is restarted, one by one, under load
  --ci                the rounds, then an outage of NATS of ${outageOfCiSeconds} seconds, then a rolling restart
  --json <file>       writes the reports as JSON too, a list with one for each run
  --keep              keeps the directory with logs and answers, which is kept after a failure anyway
  --help              prints this

Exit codes: 0 all promises were kept, 1 one was not, 2 wrong usage, 130 interrupted.
`;

/** @throws Error saying what is wrong with the usage. */
export function parseOptions(parameters: readonly string[]): FaultsOptions {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      seed: { type: 'string' },
      rounds: { type: 'string', default: '60' },
      only: { type: 'string' },
      seconds: { type: 'string', default: '3' },
      rate: { type: 'string', default: '150' },
      'nats-outage': { type: 'string' },
      'rolling-restart': { type: 'boolean', default: false },
      ci: { type: 'boolean', default: false },
      json: { type: 'string' },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const rounds: Run = {
    kind: 'rounds',
    rounds: wholeNumber('--rounds', values.rounds, 1, 100_000),
    only: values.only === undefined ? undefined : kindOf(values.only),
    secondsPerRound: wholeNumber('--seconds', values.seconds, 1, 600),
  };
  const others: Run[] = [];
  const outage = values['nats-outage'];
  if (outage !== undefined) {
    others.push({ kind: 'nats-outage', seconds: wholeNumber('--nats-outage', outage, 5, 86_400) });
  }
  if (values['rolling-restart']) others.push({ kind: 'rolling-restart' });
  if (values.ci && others.length > 0) throw new Error('--ci has its own outage of NATS and its own rolling restart.');
  const ofCi: Run[] = [rounds, { kind: 'nats-outage', seconds: outageOfCiSeconds }, { kind: 'rolling-restart' }];
  return {
    seed: values.seed === undefined ? randomInt(2 ** 32) : wholeNumber('--seed', values.seed, 0, 2 ** 32 - 1),
    attemptsPerSecond: wholeNumber('--rate', values.rate, 50, 2_000),
    runs: values.ci ? ofCi : others.length > 0 ? others : [rounds],
    json: values.json,
    keep: values.keep,
    help: values.help,
  };
}

function kindOf(text: string): FaultKind {
  const kind = faultKinds.find((each) => each === text);
  if (kind !== undefined) return kind;
  throw new Error(`--only is one of ${faultKinds.join(', ')}, not ${text}.`);
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number >= least && number <= most) return number;
  throw new Error(`${name} is a whole number from ${least} to ${most}, not ${text}.`);
}
