import { Command, CommanderError } from '@commander-js/extra-typings';
import { addAuditCommands } from './commands/audit.ts';
import { addCatalogueCommands } from './commands/catalogue.ts';
import { addClientCommands } from './commands/client.ts';
import { addEventsCommands } from './commands/events.ts';
import { addFleetCommands } from './commands/fleet.ts';
import { addKeyCommands } from './commands/key.ts';
import { addMachinesCommands } from './commands/machines.ts';
import { addMakCommands } from './commands/mak.ts';
import { addServeCommand } from './commands/serve.ts';
import { addSiteCommands } from './commands/site.ts';
import { addStatusCommand } from './commands/status.ts';
import { addVendorCommands } from './commands/vendor.ts';
import { exitCodes, sayError } from './output.ts';
import { musterVersion } from './version.ts';

const program = new Command('muster')
  .description("Self-hosted volume activation for any software vendor's products.")
  .version(musterVersion, '-V, --version', 'print the version')
  .showSuggestionAfterError()
  .showHelpAfterError('Run the command with --help for its options.')
  .addHelpText(
    'before',
    `Examples:
  muster serve --demo                                     a whole site in one process, with a demo vendor
  muster fleet run fleet.csv --host 127.0.0.1:1688        one activation for each row
  muster status                                           the count, the keys and the gateway of a running site
  muster machines list --json                             every machine that the site knows
  muster site export --output site.ndjson.gz              the whole site as one file, for a backup or a move
`,
  )
  .addHelpText(
    'after',
    `
Exit codes: 0 done, 1 failed (the line on standard error says why and what to do), 2 wrong usage or input,
130 interrupted.`,
  )
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });

addServeCommand(program);
addFleetCommands(program);
addCatalogueCommands(program);
addKeyCommands(program);
addStatusCommand(program);
addMachinesCommands(program);
addSiteCommands(program);
addEventsCommands(program);
addClientCommands(program);
addMakCommands(program);
addVendorCommands(program);
addAuditCommands(program);

// The reader of the output has gone (`| head`). A listing has nobody left to tell; a site that runs goes on.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  if (process.argv[2] !== 'serve') process.exit(exitCodes.success);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? exitCodes.success : exitCodes.usage;
  } else {
    sayError(error);
    process.exitCode = exitCodes.failure;
  }
}
