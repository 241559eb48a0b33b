import { type Command, Option } from '@commander-js/extra-typings';
import { defaultDataDirectory } from '../paths.ts';
import { serviceOptions } from './service-options.ts';

/** `muster key install`, `activate`, `confirm`, `list` and `remove`. */
export function addKeyCommands(program: Command): void {
  const key = program
    .command('key')
    .description('The KMS keys of a host: with one that is active, it activates machines.')
    .addHelpText(
      'after',
      `
Examples:
  muster key install --key-file key.txt && muster key activate
  muster key list

Without a network to the vendor:
  muster key activate --offline --output request.txt      carry request.txt to the vendor
  muster key confirm confirmation.txt                     what came back`,
    );
  addInstall(key);
  addActivate(key);
  addConfirm(key);
  addList(key);
  addRemove(key);
}

/** A command with the options that say which host it is for. */
function hostCommand(parent: Command, name: string, description: string) {
  return parent
    .command(name)
    .description(description)
    .option('--data <dir>', 'data directory of a `muster serve`; also $MUSTER_DATA', defaultDataDirectory())
    .addOption(
      new Option(
        '--policy <host:port>',
        'licensing-policy where it runs as a process of its own; needs a certificate',
      ).env('MUSTER_POLICY'),
    )
    .addOption(serviceOptions.ca())
    .addOption(serviceOptions.certificate())
    .addOption(serviceOptions.key())
    .addOption(serviceOptions.trustDomain())
    .addOption(serviceOptions.plain())
    .option('--json', 'print one JSON document', false);
}

function addInstall(parent: Command): void {
  hostCommand(parent, 'install', 'Install a KMS key that the vendor issued.')
    .option('--key-file <file>', 'file that holds the product key, - for standard input')
    .addHelpText(
      'after',
      `
The key is asked for on a terminal, without showing it; else it is read from standard input. It is kept encrypted and
never shown again but for its last five characters. A key that is installed already stays as it is.

Exit codes: 0 installed, 1 the host cannot be reached, 2 it is no KMS key: a typing error is shown at its place.

Examples:
  muster key install
  muster key install --key-file key.txt
  muster key install --policy policy.example.com:7102 --tls-ca ca.pem --tls-certificate admin.pem --tls-key admin.key < key.txt`,
    )
    // Whoever gives the key as an argument must not find it in an error as well.
    .allowExcessArguments()
    .action(async (options, command) => {
      const { installKey } = await import('../key-commands.ts');
      process.exitCode = await installKey({ ...options, isKeyGiven: command.args.length > 0 });
    });
}

function addActivate(parent: Command): void {
  hostCommand(parent, 'activate', 'Have the vendor activate this host for an installed key, online or by a file.')
    .argument('[last-five]', 'last five characters of the key, or its id; not needed for the only one', '')
    .option('--offline', 'write a request file for the vendor instead of asking it', false)
    .option('--output <file>', 'the request file, - for standard output (default: activation-request-LAST5.txt)')
    .option('--again', 'also when the key is active, or a request was made: uses one more activation', false)
    .addHelpText(
      'after',
      `
Each activation counts for the vendor. One whose answer was lost is repeated under the same number, and a request file
that is made again is the same, so that nothing is used twice. An active key is not activated again without --again.

The request file holds the product key: its owner alone can read it.

Exit codes: 0 active, or the file is written; 1 refused or not reached; 2 no such key.

Examples:
  muster key activate
  muster key activate 7QK2M --again
  muster key activate --offline --output request.txt`,
    )
    .action(async (name, options) => {
      const { activateKey, requestActivation } = await import('../key-commands.ts');
      process.exitCode = await (options.offline ? requestActivation(name, options) : activateKey(name, options));
    });
}

function addConfirm(parent: Command): void {
  hostCommand(parent, 'confirm', "Apply the vendor's answer to a request file; - reads standard input.")
    .argument('<file>', 'the confirmation, as a file or typed from paper')
    .option('--key <last-five>', 'the key that it is for, where more than one waits')
    .addHelpText(
      'after',
      `
Text around the block, small letters and other spaces do not matter; a slip is shown in its line. A confirmation that is
applied again changes nothing.

Exit codes: 0 active, 1 it is not for this host or by another vendor, 2 it cannot be read or has ended.

Examples:
  muster key confirm confirmation.txt
  muster key confirm - < confirmation.txt`,
    )
    .action(async (file, options) => {
      const { confirmActivation } = await import('../key-commands.ts');
      process.exitCode = await confirmActivation(file, options);
    });
}

function addList(parent: Command): void {
  hostCommand(parent, 'list', 'List the installed keys, what each activated, and until when.')
    .addHelpText('after', '\nExamples:\n  muster key list\n  muster key list --json')
    .action(async (options) => {
      const { listKeys } = await import('../key-commands.ts');
      process.exitCode = await listKeys(options);
    });
}

function addRemove(parent: Command): void {
  hostCommand(parent, 'remove', 'Remove a key: its certificate goes with it, and machines are refused at once.')
    .argument('<last-five>', 'last five characters of the key, or its id')
    .requiredOption('--confirm <last-five>', 'the same once more')
    .addHelpText(
      'after',
      `
Machines that are active keep their activation until it ends. The activations that the key has used stay used.

Examples:
  muster key remove 7QK2M --confirm 7QK2M`,
    )
    .action(async (name, options) => {
      const { removeKey } = await import('../key-commands.ts');
      process.exitCode = await removeKey(name, options);
    });
}
