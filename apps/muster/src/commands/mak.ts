import { type Command, Option } from '@commander-js/extra-typings';
import { makOptions } from './mak-options.ts';
import { parseCount } from './parse.ts';

/** `muster mak collect`, `submit` and `apply`. */
export function addMakCommands(program: Command): void {
  const mak = program
    .command('mak')
    .description('MAK proxy: activation by a MAK for machines that have no way to the vendor.')
    .addHelpText(
      'after',
      `
Three steps, of which the middle one needs a network:
  muster mak collect one.ndjson two.ndjson --output fleet.ndjson       what machines wrote by \`muster client mak request\`
  muster mak submit fleet.ndjson --authority activation.vendor.example:7104 --key-file mak.txt
  muster mak apply fleet.ndjson.confirmed                              on each machine

A run that is broken off anywhere is simply repeated: nothing is lost, and nothing is used twice.`,
    );
  addCollect(mak);
  addSubmit(mak);
  addApply(mak);
}

function addCollect(parent: Command): void {
  parent
    .command('collect')
    .description('Gather the installation ids of machines into one file, each once.')
    .argument('[files...]', 'what machines wrote by `muster client mak request`, or other collections')
    .requiredOption('--output <file>', 'the collection; what it holds already stays in it')
    .option('--no-names', 'without machine names, also of what it holds already')
    .option('--machine', 'this machine too: for a file that is carried from one machine to the next', false)
    .addOption(makOptions.application())
    .addOption(makOptions.edition())
    .addOption(makOptions.fingerprint())
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `
Examples:
  muster mak collect one.ndjson two.ndjson --output fleet.ndjson
  muster mak collect machines/*.ndjson --no-names --output fleet.ndjson
  muster mak collect --machine --application windows --edition vista-business --output fleet.ndjson`,
    )
    .action(async (files, options) => {
      const { collectFiles } = await import('../mak-commands.ts');
      process.exitCode = await collectFiles(files, options);
    });
}

function addSubmit(parent: Command): void {
  parent
    .command('submit')
    .description("Take a collection to the vendor's authority and bring back the confirmations, in FILE.confirmed.")
    .argument('<file>', 'the collection')
    .requiredOption('--authority <host:port>', "the vendor's authority")
    .option('--authority-ca <file>', "authorities of its certificate, PEM (default: the system's)")
    .option('--authority-plain', 'ask it without TLS, on this machine only', false)
    .addOption(makOptions.keyFile())
    .addOption(makOptions.vendorKey())
    .addOption(
      new Option('--batch <n>', 'installations of one call, at most 256').argParser(parseCount(256)).default(256),
    )
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `
The MAK is asked for on a terminal, without showing it; else it is read from standard input. It is not kept. Each batch is
on the disk before the next one is asked for. What is confirmed is not asked for again; what was refused is, so that it
may be asked for with another MAK: of another product group, or one that has activations left.

Exit codes: 0 all are confirmed; 1 some are refused, or the authority cannot be reached; 2 wrong usage, file or a mistyped
MAK; 130 interrupted.

Examples:
  muster mak submit fleet.ndjson --authority activation.vendor.example:7104
  muster mak submit fleet.ndjson --authority activation.vendor.example:7104 --key-file mak.txt --json`,
    )
    // Whoever gives the key as an argument must not find it in an error as well.
    .allowExcessArguments()
    .action(async (file, options, command) => {
      const { submitFile } = await import('../mak-commands.ts');
      process.exitCode = await submitFile(file, { ...options, isKeyGiven: command.args.length > 1 });
    });
}

function addApply(parent: Command): void {
  parent
    .command('apply')
    .description('Activate this machine by its confirmation in a file that was brought back.')
    .argument('<file>', 'FILE.confirmed, or the collection beside it')
    .option('--installation-id <hex>', 'only this one; all that are for this machine when it is left out')
    .addOption(makOptions.store())
    .addOption(makOptions.vendorKey())
    .addOption(makOptions.fingerprint())
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `
A confirmation is verified by the vendor's key and against the hardware, and kept: applied again, it uses nothing.

Exit codes: 0 active, 1 nothing in the file is for this machine (HARDWARE_CHANGED) or it was refused, 2 wrong usage or file.

Examples:
  muster mak apply fleet.ndjson.confirmed
  muster mak apply fleet.ndjson.confirmed --vendor-key vendor.jwk`,
    )
    .action(async (file, options) => {
      const { applyFile } = await import('../mak-commands.ts');
      process.exitCode = await applyFile(file, options);
    });
}
