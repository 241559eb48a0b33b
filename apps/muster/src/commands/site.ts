import { type Command, Option } from '@commander-js/extra-typings';
import { defaultDataDirectory } from '../paths.ts';

/** `muster site export` and `import`. */
export function addSiteCommands(program: Command): void {
  const site = program.command('site').description('A whole site as one file: for backups and moves (docs/backup.md).');
  const dataHelp = `data directory of the site (default: $MUSTER_DATA, else ${defaultDataDirectory()})`;
  const databaseOption = () =>
    new Option('--database <url>', 'the PostgreSQL (postgres://...) of the site instead of an embedded one').env(
      'MUSTER_DATABASE',
    );
  site
    .command('export')
    .description('Write a site as it is at one moment into a compressed file.')
    .option('--data <dir>', dataHelp)
    .addOption(databaseOption())
    .option('--output <file>', 'the file to write, - for standard output', '-')
    .option('--without-log', 'leave out the activation log that has been published; counts stay', false)
    .option('--json', 'print one JSON document about the file', false)
    .addHelpText(
      'after',
      `
A site on PostgreSQL is exported while it runs; for an embedded one stop \`muster serve\` first.

The host's private key is in the file, encrypted. What opens it is not: keep the host-key.secret of the data directory
(or the file of MUSTER_POLICY_HOST_KEY_SECRET_FILE) apart from the file. The demo vendor's root is not in it either.

Examples:
  muster site export --data ./site --output site.ndjson.gz
  muster site export --database postgres://muster@db.example.com/muster --output site.ndjson.gz
  muster site export --data ./site --without-log | ssh backup.example.com 'cat > site.ndjson.gz'`,
    )
    .action(async (options) => {
      const { runExport } = await import('../site-commands.ts');
      process.exitCode = await runExport(options);
    });
  site
    .command('import <file>')
    .description('Fill an empty site from an export, all of it or nothing; - reads standard input.')
    .option('--data <dir>', dataHelp)
    .addOption(databaseOption())
    .option(
      '--host-key-secret-file <file>',
      "what opens the host's private key (default: host-key.secret in the data directory)",
    )
    .option('--dry-run', 'only check the file, and the secret file if there is one', false)
    .option('--json', 'print one JSON document about the file', false)
    .addHelpText(
      'after',
      `
The target has to be without machines, log and KMS keys, and no service may run on it. An embedded site keeps the secret
file in its data directory, where it is put if it is not there.

Exit codes: 0 imported, 1 the target cannot be used, 2 when the file, the secret file or the usage is wrong.

Examples:
  muster site import site.ndjson.gz --dry-run
  muster site import site.ndjson.gz --data ./restored --host-key-secret-file ./site/host-key.secret
  muster site import site.ndjson.gz --database postgres://muster@db.example.com/muster --data ./site`,
    )
    .action(async (file, options) => {
      const { runImport } = await import('../site-commands.ts');
      process.exitCode = await runImport(file, options);
    });
}
