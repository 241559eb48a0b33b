import { parseArgs } from 'node:util';

/** What `npm run stack` was asked for. */
export interface CommandOptions {
  readonly directory: string | undefined;
  readonly gatewayPort: number;
  readonly gateways: number;
  readonly countings: number;
  readonly policies: number;
  /** Stops by itself after so long; never when undefined. */
  readonly seconds: number | undefined;
  readonly json: boolean;
  readonly help: boolean;
}

export const help = `Usage: npm run stack -- [options]

Runs a whole site on this machine as separate processes: PostgreSQL, NATS with JetStream, licensing-policy,
counting and protocol-gateway in replicas, with mutual TLS between them. It has a vendor of its own, the
catalogue windows-2008 and its widest key. A process that ends is started again. Ctrl-C stops all of it in
order, a second Ctrl-C kills it. For trying Muster out and for tests, not for production.

PostgreSQL 15 or newer and nats-server are found on PATH or where Debian has them. On Debian as root they
are installed when they are missing; otherwise a list says what to install.

Options:
  --directory <dir>     where everything is kept; the data of an earlier run is used again
                        (default: a temporary directory that is removed at the end)
  --gateway-port <n>    port of the first gateway, 0 to 65535; the next gateways have the next ports,
                        and 0 chooses free ones (default: 1688)
  --gateways <n>        replicas of protocol-gateway, 1 to 16 (default: 2)
  --countings <n>       replicas of counting, 1 to 16 (default: 2)
  --policies <n>        replicas of licensing-policy, 1 to 16 (default: 1)
  --seconds <n>         stop after so long, 1 to 86400 (default: run until Ctrl-C)
  --json                print one JSON document instead of the table when everything is ready
  --help                print this

The table goes to standard output, progress to standard error.

Exit codes: 0 stopped as asked, 1 it could not start, 2 wrong usage, 130 interrupted before it was ready or
while it stopped.
`;

const mostReplicas = 16;

/** @throws Error saying what is wrong with the usage. */
export function parseOptions(parameters: readonly string[]): CommandOptions {
  const { values } = parseArgs({
    args: [...parameters],
    options: {
      directory: { type: 'string' },
      'gateway-port': { type: 'string', default: '1688' },
      gateways: { type: 'string', default: '2' },
      countings: { type: 'string', default: '2' },
      policies: { type: 'string', default: '1' },
      seconds: { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.directory === '') throw new Error('--directory names a directory.');
  return {
    directory: values.directory,
    gatewayPort: wholeNumber('--gateway-port', values['gateway-port'], 0, 65_535),
    gateways: wholeNumber('--gateways', values.gateways, 1, mostReplicas),
    countings: wholeNumber('--countings', values.countings, 1, mostReplicas),
    policies: wholeNumber('--policies', values.policies, 1, mostReplicas),
    seconds: values.seconds === undefined ? undefined : wholeNumber('--seconds', values.seconds, 1, 86_400),
    json: values.json,
    help: values.help,
  };
}

function wholeNumber(name: string, text: string, least: number, most: number): number {
  const number = Number(text);
  if (/^\d{1,6}$/.test(text) && number >= least && number <= most) return number;
  throw new Error(`${name} is a whole number from ${least} to ${most}, not ${text}.`);
}
