import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, Option } from '@commander-js/extra-typings';
import type { LogLevel } from '@muster/service-kit';
import { exitCodes } from '../output.ts';
import { defaultDataDirectory } from '../paths.ts';
import { collect, parseConnections, parseMonths, parsePort } from './parse.ts';

/** The levels of service-kit, which is loaded only when a site starts. */
const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const satisfies readonly LogLevel[];

/** `muster serve`: every service in this process. */
export function addServeCommand(program: Command): void {
  program
    .command('serve')
    .description('Run a whole site in this process, on an embedded database.')
    .option('--data <dir>', `data directory, made when missing (default: $MUSTER_DATA, else ${defaultDataDirectory()})`)
    .option('--activation-port <port>', 'TCP port for clients, 0 for any free one', parsePort, 1688)
    .option('--activation-address <address>', 'address to listen on (default: all)')
    .option(
      '--connections-per-address <n>',
      'most connections of one address; 0 for no limit, where many clients share one',
      parseConnections,
      1_000,
    )
    .option(
      '--connection-rate-per-address <n>',
      'new connections a second of one address, five times as many at once; 0 for no limit; never for this machine',
      parseConnections,
      200,
    )
    .option(
      '--request-rate-per-address <n>',
      'requests a second of one address, five times as many at once; 0 for no limit; never for this machine',
      parseConnections,
      100,
    )
    .option(
      '--log-retention-months <n>',
      'whole months that the activation log is kept for, beside the present one; 0 for ever',
      parseMonths,
      24,
    )
    .option('--catalogue <name|file>', 'built-in catalogue or file (default: the one in force, else windows-2008)')
    .option('--host-platform <name>', 'platform of this host, from the catalogue (default: one that may host the keys)')
    .option('--demo', 'make a demo vendor and activate a KMS key; the next two imply it', false)
    .addOption(
      new Option('--demo-key <kind>', 'kind of key to activate, for example KMS_C; repeatable')
        .argParser(collect)
        .default([] as readonly string[], 'the widest of each application'),
    )
    .option(
      '--demo-fleet',
      'let 30 demonstration machines muster; without --data in a directory that is removed',
      false,
    )
    .addOption(
      new Option('--database <url>', 'use this PostgreSQL (postgres://...) instead of the embedded database').env(
        'MUSTER_DATABASE',
      ),
    )
    .addOption(
      new Option('--authority <host:port>', "the vendor's authority, to activate and renew KMS keys online").env(
        'MUSTER_POLICY_AUTHORITY',
      ),
    )
    .addOption(
      new Option('--authority-ca <file>', "authorities of its certificate, PEM (default: the system's)").env(
        'MUSTER_POLICY_AUTHORITY_CA_FILE',
      ),
    )
    .option('--authority-plain', 'ask it without TLS, on this machine only', false)
    .addOption(
      new Option('--log-level <level>', 'what is logged on standard error').choices(logLevels).default('warn' as const),
    )
    .option('--json', 'print one JSON document when ready, instead of lines', false)
    .addHelpText(
      'after',
      `
Examples:
  muster serve --demo
  muster serve --demo --demo-key KMS_B --data ./site --activation-port 16880
  muster serve --demo --catalogue my-products.yaml

The embedded database survives a killed process, not a power cut; --database takes a PostgreSQL server for that.
Ctrl-C and SIGTERM answer what has been asked, then end; a second one ends at once.`,
    )
    .action(async (options) => {
      const { serve } = await import('../serve.ts');
      const temporary = options.demoFleet && options.data === undefined && !process.env.MUSTER_DATA;
      const dataDirectory = temporary
        ? mkdtempSync(join(tmpdir(), 'muster-demo-'))
        : (options.data ?? defaultDataDirectory());
      try {
        await serve({ ...options, dataDirectory, temporary });
      } finally {
        if (temporary) rmSync(dataDirectory, { recursive: true, force: true });
      }
      process.exit(exitCodes.success);
    });
}
