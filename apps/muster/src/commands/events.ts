import { type Command, Option } from '@commander-js/extra-typings';
import { parseTime } from './parse.ts';
import { serviceOptions } from './service-options.ts';

/** `muster events replay`. */
export function addEventsCommands(program: Command): void {
  const events = program.command('events').description("The events of a site's activation log.");
  events
    .command('replay')
    .description('Publish the events of the activation log to JetStream again, from a time on.')
    .requiredOption('--since <time>', 'date or time, for example 2026-11-01 or 2026-11-01T06:00:00Z', parseTime)
    .addOption(
      new Option('--counting <host:port>', 'counting, where it runs as a process of its own')
        .env('MUSTER_COUNTING')
        .default('127.0.0.1:7101'),
    )
    .addOption(serviceOptions.ca())
    .addOption(serviceOptions.certificate())
    .addOption(serviceOptions.key())
    .addOption(serviceOptions.trustDomain())
    .addOption(serviceOptions.plain())
    .option('--json', 'print one JSON document', false)
    .addHelpText(
      'after',
      `
Examples:
  muster events replay --since 2026-11-01
  muster events replay --since 2026-11-24T06:00:00Z --counting counting.example.com:7101 --json

Events keep their ids: the stream drops what it still remembers (its duplicate window), and consumers
recognise the rest. Ctrl-C ends the display; the replay goes on.`,
    )
    .action(async (options) => {
      const { replayEvents } = await import('../events-replay.ts');
      await replayEvents(options);
    });
}
