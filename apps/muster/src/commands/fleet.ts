import { type Command, Option } from '@commander-js/extra-typings';
import { collect, parseCount, parseHost } from './parse.ts';

/** `muster fleet run`. */
export function addFleetCommands(program: Command): void {
  const fleet = program.command('fleet').description('Simulated fleets of machines, for demonstrations and tests.');
  fleet
    .command('run <file.csv>')
    .description('Send one activation for each row over a TCP connection of its own; - reads standard input.')
    .requiredOption('--host <host:port>', 'the host to ask; port 1688 when it is left out', parseHost)
    .option('--concurrency <n>', 'requests at the same time; with 1, counts rise row by row', parseCount(1_000), 1)
    .option('--application <id>', 'application of editions that no built-in catalogue knows', 'windows')
    .addOption(
      new Option('--vendor-key <file>', "a vendor's public key (JWK) to believe; repeatable")
        .argParser(collect)
        .default([] as readonly string[], "those that this user's `muster serve` made"),
    )
    .option('--answer-seconds <n>', 'longest wait for an answer', parseCount(600), 10)
    .option('--json', 'print one JSON document with every result', false)
    .addHelpText(
      'after',
      `
Columns of the file: machine_name, edition, machine_class (physical, virtual or container), and if wanted cmid and
application. Without a cmid it is derived from the machine's name, so that a run can be repeated.

Exit codes: 0 when every row was granted or refused for the count alone, 1 when another row failed, 2 when the file or
the usage is wrong.

Examples:
  muster fleet run fleet.csv --host 127.0.0.1:1688
  muster fleet run fleet.csv --host kms.example.com --concurrency 40 --json > results.json`,
    )
    .action(async (file, options) => {
      const { reportFleet } = await import('../fleet-report.ts');
      process.exitCode = await reportFleet(file, options);
    });
}
