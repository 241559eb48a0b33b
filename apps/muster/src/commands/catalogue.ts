import type { Command } from '@commander-js/extra-typings';
import { exitCodes } from '../output.ts';

/** `muster catalogue check` and `show`. */
export function addCatalogueCommands(program: Command): void {
  const catalogue = program
    .command('catalogue')
    .description('Check and show catalogues of product groups.')
    .addHelpText(
      'after',
      '\nExamples:\n  muster catalogue show windows-2008\n  muster catalogue check my-products.yaml',
    );
  catalogue
    .command('check <name|file>')
    .description('Validate a catalogue: every problem with its file, line and column.')
    .option('--json', 'print one JSON document', false)
    .action(async (source, options) => {
      const { checkCatalogue } = await import('../catalogue-report.ts');
      process.exitCode = checkCatalogue(source, options.json) ? exitCodes.success : exitCodes.failure;
    });
  catalogue
    .command('show <name|file>')
    .description('Show the applications, product groups, editions and rules of a catalogue.')
    .option('--json', 'print one JSON document', false)
    .option('--yaml', 'print the text of the catalogue', false)
    .action(async (source, options) => {
      const { showCatalogue } = await import('../catalogue-report.ts');
      showCatalogue(source, options);
    });
}
