import { type Command, Option } from '@commander-js/extra-typings';
import { serviceOptions } from './service-options.ts';

/** A command with the options that say where the vendor's authority is, and how its answer is printed. */
export function vendorCommand(parent: Command, name: string, description: string) {
  return parent
    .command(name)
    .description(description)
    .addOption(
      new Option('--authority <host:port>', "the authority's address for administrators")
        .env('MUSTER_AUTHORITY')
        .default('127.0.0.1:7105'),
    )
    .addOption(serviceOptions.ca())
    .addOption(serviceOptions.certificate())
    .addOption(serviceOptions.key())
    .addOption(serviceOptions.trustDomain())
    .addOption(serviceOptions.plain())
    .option('--json', 'print one JSON document', false);
}
