import { type Command, Option } from '@commander-js/extra-typings';
import { defaultDataDirectory } from '../paths.ts';

/** `muster machines list`. */
export function addMachinesCommands(program: Command): void {
  const machines = program.command('machines').description('The machines that a running site knows.');
  machines
    .command('list')
    .description('List every machine, ordered by application and CMID.')
    .option('--data <dir>', 'data directory of the site; also $MUSTER_DATA', defaultDataDirectory())
    .option('--application <id>', 'only the machines of this application', '')
    .option('--cloned', 'only CMIDs that were seen with different fingerprints or machine names', false)
    .addOption(new Option('--json', 'print one JSON document').default(false).conflicts('csv'))
    .option('--csv', 'print CSV with a header', false)
    .addHelpText('after', '\nExamples:\n  muster machines list\n  muster machines list --cloned --csv > clones.csv')
    .action(async (options) => {
      const { listMachines } = await import('../machines-report.ts');
      await listMachines(options);
    });
}
