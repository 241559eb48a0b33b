import { type Command, Option } from '@commander-js/extra-typings';
import { parseCount, parseTime } from './parse.ts';
import { vendorCommand } from './vendor-options.ts';

const kinds = ['KMS', 'MAK'] as const;

/**
 * The limits of a key, for `issue` and `change`. The authority says which of them a kind of key has, and which it is
 * given (DESIGN 3); the help repeats it.
 */
const limits = {
  hosts: (usual = '') =>
    new Option('--hosts <n>', `KMS: hosts that may be activated${usual}`).argParser(parseCount(1_000_000)),
  activationsPerHost: (usual = '') =>
    new Option('--activations-per-host <n>', `KMS: activations of each host${usual}`).argParser(parseCount(1_000)),
  certificateDays: (usual = '') =>
    new Option('--certificate-days <n>', `KMS: life of a host certificate${usual}`).argParser(parseCount(3_650)),
  activations: (usual = '') =>
    new Option('--activations <n>', `MAK: installations that may be confirmed${usual}`).argParser(
      parseCount(10_000_000),
    ),
};

/** `muster vendor key issue`, `list`, `show`, `change` and `revoke`. */
export function addVendorKeyCommands(vendor: Command): void {
  const key = vendor
    .command('key')
    .description('Product keys: KMS keys activate hosts, MAKs activate single machines.');
  addIssue(key);
  addList(key);
  addShow(key);
  addChange(key);
  addRevoke(key);
}

function addIssue(parent: Command): void {
  vendorCommand(parent, 'issue', 'Issue a product key. It is printed once, and stands nowhere else.')
    .addOption(
      new Option('--kind <kind>', 'KMS for hosts, MAK for single machines').choices(kinds).makeOptionMandatory(),
    )
    .requiredOption('--application <id>', 'application of the catalogue in force')
    .requiredOption('--group <id>', 'product group: a KMS key serves it and all below it, a MAK it alone')
    .requiredOption('--customer <name>', 'whom it is for: 1 to 200 characters')
    .addOption(limits.hosts(' (default: 6)'))
    .addOption(limits.activationsPerHost(' (default: 10)'))
    .addOption(limits.certificateDays(' (default: 365)'))
    .addOption(limits.activations(' (needed)'))
    .addOption(
      new Option('--validity-days <n>', 'days in which the key may be used (default: 3650)').argParser(
        parseCount(36_500),
      ),
    )
    .option('--output <file>', 'write the key to this new file, for its owner alone, and do not print it')
    .addHelpText(
      'after',
      `
On standard output stands the key alone. If the answer was lost on its way, \`muster vendor key list\` shows a key that
nobody knows: revoke it, and issue another.

Examples:
  muster vendor key issue --kind KMS --application windows --group server-group-c --customer Contoso
  muster vendor key issue --kind KMS --application windows --group server-group-b --customer Contoso --hosts 2 --output key.txt
  muster vendor key issue --kind MAK --application windows --group vista-vl --customer Contoso --activations 50 --json`,
    )
    .action(async (options) => {
      const { issueKey } = await import('../vendor-keys.ts');
      process.exitCode = await issueKey(options);
    });
}

function addList(parent: Command): void {
  vendorCommand(parent, 'list', 'List the keys that were issued, and how much of each is used.')
    .option('--customer <name>', 'only keys of this customer', '')
    .addOption(new Option('--kind <kind>', 'only keys of this kind').choices(kinds))
    .option('--application <id>', 'only keys for this application', '')
    .addHelpText(
      'after',
      '\nExamples:\n  muster vendor key list\n  muster vendor key list --customer Contoso --kind MAK --json',
    )
    .action(async (options) => {
      const { listIssuedKeys } = await import('../vendor-keys.ts');
      process.exitCode = await listIssuedKeys(options);
    });
}

/** How a key is named. */
const keyName = ['<id|last-five>', 'its id, or its last five characters where no other key ends in them'] as const;

function addShow(parent: Command): void {
  vendorCommand(parent, 'show', 'Show a key, and the hosts or installations that it has activated.')
    .argument(...keyName)
    .addHelpText('after', '\nExamples:\n  muster vendor key show 7QK2M\n  muster vendor key show 7QK2M --json')
    .action(async (name, options) => {
      const { showIssuedKey } = await import('../vendor-keys.ts');
      process.exitCode = await showIssuedKey(name, options);
    });
}

function addChange(parent: Command): void {
  vendorCommand(parent, 'change', 'Change the limits or the end of a key; what is left out stays.')
    .argument(...keyName)
    .option('--expires <time>', 'until when it may be used: a date, or a time as in 2027-01-31T18:00:00Z', parseTime)
    .addOption(limits.hosts())
    .addOption(limits.activationsPerHost())
    .addOption(limits.certificateDays())
    .addOption(limits.activations())
    .addHelpText(
      'after',
      `
Certificates that were given already keep their end. A limit below what is used lets nothing more be used.

Examples:
  muster vendor key change 7QK2M --hosts 12
  muster vendor key change 7QK2M --expires 2030-01-01 --json`,
    )
    .action(async (name, options) => {
      const { changeIssuedKey } = await import('../vendor-keys.ts');
      process.exitCode = await changeIssuedKey(name, options);
    });
}

function addRevoke(parent: Command): void {
  vendorCommand(parent, 'revoke', 'End a key for good: no activation, renewal or confirmation by it from now on.')
    .argument(...keyName)
    .requiredOption('--reason <text>', 'for the audit trail: up to 200 characters')
    .requiredOption('--confirm <last-five>', 'the last five characters of the key once more')
    .addHelpText(
      'after',
      `
Certificates and confirmations that were given already stay what they are until they end.

Examples:
  muster vendor key revoke 7QK2M --reason "left in a public place" --confirm 7QK2M`,
    )
    .action(async (name, options) => {
      const { revokeIssuedKey } = await import('../vendor-keys.ts');
      process.exitCode = await revokeIssuedKey(name, options);
    });
}
