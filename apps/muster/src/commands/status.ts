import type { Command } from '@commander-js/extra-typings';
import { defaultDataDirectory } from '../paths.ts';

/** `muster status`. */
export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .description('Show the count, the keys and the gateway of the `muster serve` that runs on a data directory.')
    .option('--data <dir>', 'data directory of the site; also $MUSTER_DATA', defaultDataDirectory())
    .option('--json', 'print one JSON document', false)
    .action(async (options) => {
      const { showStatus } = await import('../status-report.ts');
      await showStatus(options.data, options.json);
    });
}
