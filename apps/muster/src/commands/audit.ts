import { type Command, InvalidArgumentError, Option } from '@commander-js/extra-typings';
import type { AuditHead } from '@muster/trust';
import { parseAuditHead } from '../audit-anchor.ts';
import { vendorCommand } from './vendor-options.ts';

/** `muster audit verify` and `export`. */
export function addAuditCommands(program: Command): void {
  const audit = program.command('audit').description('What was done at the authority of a vendor, by whom and when.');
  vendorCommand(audit, 'verify', 'Verify that no record of the audit trail was changed, removed or put in.')
    .addOption(
      new Option('--anchor <sequence:hash>', 'an end that the trail had before, kept elsewhere; may be repeated')
        .argParser(collectAnchor)
        .default([] as readonly AuditHead[], 'none'),
    )
    .option('--file <export>', 'verify an export, without a network; - for standard input')
    .addHelpText(
      'after',
      `
\`muster vendor show\` and each act in the log of the authority tell the end that the trail has. Only by one that was kept
elsewhere is it found that records were cut off at the end, or that all were written anew.

Exit codes: 0 whole, 1 broken (the line says at which record) or not reached, 2 wrong usage, or no export.

Examples:
  muster audit verify
  muster audit verify --anchor "$(cat last-month.txt)"
  muster audit verify --file audit.ndjson --json`,
    )
    .action(async (options) => {
      const { verifyAudit } = await import('../audit-commands.ts');
      process.exitCode = await verifyAudit(options);
    });
  vendorCommand(audit, 'export', 'Write the audit trail as lines of JSON, from its first record on.')
    .option('--output <file>', 'the file, - for standard output', '-')
    .addHelpText(
      'after',
      `
Each line has "record", the text that was hashed (JSON itself), and "hash", SHA-256 of the hash before and the record.
The trail names customers and addresses: a file can be read by its owner alone. It holds no product key.

Examples:
  muster audit export --output audit.ndjson
  muster audit export | jq -r '.record | fromjson | [.atUnixMs, .actor, .address, .action, .subject] | @csv'`,
    )
    .action(async (options) => {
      const { exportAudit } = await import('../audit-commands.ts');
      process.exitCode = await exportAudit(options);
    });
}

function collectAnchor(text: string, previous: readonly AuditHead[]): readonly AuditHead[] {
  const anchor = parseAuditHead(text);
  if (anchor !== undefined) return [...previous, anchor];
  throw new InvalidArgumentError('An anchor is SEQUENCE:HASH, the hash of 64 hexadecimal digits.');
}
