import type { Command } from '@commander-js/extra-typings';
import { addVendorKeyCommands } from './vendor-key.ts';
import { vendorCommand } from './vendor-options.ts';

/** `muster vendor create`, `show`, `catalogue`, `key` and `confirm`. */
export function addVendorCommands(program: Command): void {
  const vendor = program
    .command('vendor')
    .description('What a vendor does with its authority: its root, its catalogue and its product keys.')
    .addHelpText(
      'after',
      `
Examples:
  muster vendor create "Example Vendor" --key-file vendor.jwk
  muster vendor catalogue sign products.yaml
  muster vendor key issue --kind KMS --application windows --group server-group-c --customer Contoso
  muster vendor key list --customer Contoso
  muster vendor confirm request.txt --output confirmation.txt

Each command calls the authority with the certificate of an administrator: MUSTER_AUTHORITY, MUSTER_TLS_CA_FILE,
MUSTER_TLS_CERTIFICATE_FILE and MUSTER_TLS_KEY_FILE take the place of the options.`,
    );
  addVendor(vendor);
  addCatalogue(vendor);
  addVendorKeyCommands(vendor);
  addConfirm(vendor);
}

function addVendor(vendor: Command): void {
  vendorCommand(vendor, 'create', 'Make the vendor: its name and its root key, which never leaves the authority.')
    .argument('<name>', 'stands in every certificate: 1 to 64 characters')
    .option('--key-file <file>', 'write the public key to this file, as a JWK; - for standard output')
    .addHelpText(
      'after',
      `
Made again by the same name, it changes nothing and shows the vendor.

Examples:
  muster vendor create "Example Vendor"
  muster vendor create "Example Vendor" --key-file vendor.jwk --json`,
    )
    .action(async (name, options) => {
      const { createVendor } = await import('../vendor-commands.ts');
      process.exitCode = await createVendor(name, options);
    });
  vendorCommand(vendor, 'show', 'Show the vendor, its public key, and where its audit trail ends.')
    .option('--key-file <file>', 'write the public key to this file, as a JWK; - for standard output')
    .addHelpText(
      'after',
      `
Products are built with the public key, and hosts trust it. The end of the audit trail, kept elsewhere, is what
\`muster audit verify --anchor\` takes.

Examples:
  muster vendor show
  muster vendor show --key-file vendor.jwk
  muster vendor show --json`,
    )
    .action(async (options) => {
      const { describeVendor } = await import('../vendor-commands.ts');
      process.exitCode = await describeVendor(options);
    });
}

function addCatalogue(vendor: Command): void {
  const catalogue = vendor.command('catalogue').description('The catalogue that the vendor has signed.');
  vendorCommand(catalogue, 'sign', 'Check and sign a catalogue, and put it in force for keys and activations.')
    .argument('<name|file>', 'a file, YAML or JSON, or a catalogue that is built in')
    .option('--output <file>', 'write the signed catalogue to this file; - for standard output')
    .addHelpText(
      'after',
      `
A changed catalogue needs a higher version. The same text, signed again, changes nothing.

Examples:
  muster vendor catalogue sign windows-2008
  muster vendor catalogue sign products.yaml --output products.jws`,
    )
    .action(async (source, options) => {
      const { signCatalogueFile } = await import('../vendor-commands.ts');
      process.exitCode = await signCatalogueFile(source, options);
    });
  vendorCommand(catalogue, 'show', 'Show the catalogue in force, and the product groups that keys are issued for.')
    .option('--output <file>', 'write the signed catalogue to this file; - for standard output')
    .addHelpText(
      'after',
      '\nExamples:\n  muster vendor catalogue show\n  muster vendor catalogue show --output products.jws',
    )
    .action(async (options) => {
      const { showSignedCatalogue } = await import('../vendor-commands.ts');
      process.exitCode = await showSignedCatalogue(options);
    });
}

function addConfirm(vendor: Command): void {
  vendorCommand(vendor, 'confirm', 'Activate a host that has no network, by the request that was carried here.')
    .argument('<file>', 'what `muster key activate --offline` wrote, as a file or typed; - for standard input')
    .option('--output <file>', 'write the confirmation to this file (default: standard output)')
    .addHelpText(
      'after',
      `
The same request, confirmed again, gets the same answer and uses nothing. It holds the customer's product key, the
confirmation does not.

Exit codes: 0 confirmed, 1 refused or not reached, 2 it is no request, or has a slip (the line is named).

Examples:
  muster vendor confirm request.txt --output confirmation.txt
  muster vendor confirm - < request.txt > confirmation.txt`,
    )
    .action(async (file, options) => {
      const { confirmRequest } = await import('../vendor-commands.ts');
      process.exitCode = await confirmRequest(file, options);
    });
}
