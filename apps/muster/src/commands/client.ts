import type { Command } from '@commander-js/extra-typings';
import { makOptions } from './mak-options.ts';
import { parseHost } from './parse.ts';

/** `muster client mak activate`, `request` and `status`. */
export function addClientCommands(program: Command): void {
  const client = program.command('client').description('This machine as a client: its own activation.');
  const mak = client
    .command('mak')
    .description('Activation of this machine by a MAK: once, for good, by the vendor.')
    .addHelpText(
      'after',
      `
Examples:
  muster client mak activate --key-file mak.txt --application windows --edition vista-business --host activation.vendor.example
  muster client mak status
  muster client mak request --application windows --edition vista-business --output this-machine.ndjson

A confirmation is bound to the hardware. This command recognises a machine by the UUID of its firmware, which root alone
may read, else by the machine id of the operating system: so run it as root, and always as the same user.`,
    );
  addActivate(mak);
  addRequest(mak);
  addStatus(mak);
}

function addActivate(parent: Command): void {
  parent
    .command('activate')
    .description('Activate this machine by a MAK, or apply again what was confirmed before.')
    .addOption(makOptions.application().makeOptionMandatory())
    .addOption(makOptions.edition().makeOptionMandatory())
    .option('--host <host:port>', "the vendor's protocol gateway; port 1688 when it is left out", parseHost)
    .option('--tls', 'by TLS, where something in front of the gateway ends it', false)
    .option('--tls-ca <file>', "authorities of its certificate, PEM (default: the system's); implies --tls")
    .addOption(makOptions.keyFile())
    .addOption(makOptions.store())
    .addOption(makOptions.vendorKey())
    .addOption(makOptions.fingerprint())
    .option('--again', 'ask the vendor also when a confirmation is kept, as after a change of hardware', false)
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `
The MAK is asked for on a terminal, without showing it; else it is read from standard input. It is not kept. A
confirmation that is kept is applied again without asking anybody; asking again for the same hardware uses no activation
either. Without TLS everybody on the way to the gateway can read the MAK.

Exit codes: 0 active; 1 refused, not reached or another machine (HARDWARE_CHANGED); 2 wrong usage or a mistyped MAK.

Examples:
  muster client mak activate --application windows --edition vista-business --host activation.vendor.example --tls
  muster client mak activate --application windows --edition vista-business --host 127.0.0.1:1688 --key-file mak.txt
  muster client mak activate --application windows --edition vista-business`,
    )
    // Whoever gives the key as an argument must not find it in an error as well.
    .allowExcessArguments()
    .action(async (options, command) => {
      const { activateByMak } = await import('../mak-client.ts');
      process.exitCode = await activateByMak({ ...options, isKeyGiven: command.args.length > 0 });
    });
}

function addRequest(parent: Command): void {
  parent
    .command('request')
    .description('Write the installation id of this machine, for `muster mak collect`.')
    .addOption(makOptions.application().makeOptionMandatory())
    .addOption(makOptions.edition().makeOptionMandatory())
    .option('--output <file>', 'the file to write, - for standard output', '-')
    .option('--no-name', 'without the name of this machine')
    .addOption(makOptions.fingerprint())
    .addHelpText(
      'after',
      `
Examples:
  muster client mak request --application windows --edition vista-business --output this-machine.ndjson
  muster client mak request --application windows --edition vista-business --no-name > this-machine.ndjson`,
    )
    .action(async (options) => {
      const { requestByMak } = await import('../mak-client.ts');
      requestByMak(options);
    });
}

function addStatus(parent: Command): void {
  parent
    .command('status')
    .description('Show what this machine is activated for by a MAK, checked against its hardware.')
    .addOption(makOptions.store())
    .addOption(makOptions.vendorKey())
    .addOption(makOptions.fingerprint())
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `
Exit codes: 0 everything that is kept is active, 1 something is not, or nothing is kept.

Examples:
  muster client mak status
  muster client mak status --json`,
    )
    .action(async (options) => {
      const { showMakStatus } = await import('../mak-client.ts');
      process.exitCode = await showMakStatus(options);
    });
}
