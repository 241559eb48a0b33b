import {
  type CountingAdministration,
  CountingAdministrationService,
  type ReplayProgress,
} from '@muster/contracts/counting';
import type { ServiceOptions } from './commands/service-options.ts';
import { print, printJson } from './output.ts';
import { callService } from './service-link.ts';

/** The options of `muster events replay`, parsed. */
export interface ReplayOptions extends ServiceOptions {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly counting: string;
  readonly json: boolean;
}

/**
 * Has counting publish its log again, and waits until all of it is published.
 *
 * @throws MusterError `UNAVAILABLE`, `NOT_AUTHORISED`, `INPUT_INVALID`, `TLS_INVALID` or `SETTING_INVALID`.
 */
export async function replayEvents(options: ReplayOptions): Promise<void> {
  const replay = async (service: CountingAdministration) => {
    let last: ReplayProgress = { rows: 0, published: 0 };
    for await (const progress of service.replayEvents({ sinceUnixMs: options.since })) {
      last = progress;
      showProgress(progress);
    }
    return last;
  };
  const { rows } = await callService(CountingAdministrationService, 'counting', options.counting, options, replay);
  if (process.stderr.isTTY) process.stderr.write('\n');
  if (options.json) printJson({ since: new Date(options.since).toISOString(), rows });
  else print(`${rows} ${rows === 1 ? 'event is' : 'events are'} published again.`);
}

/** A line that is written over, on a terminal only. */
function showProgress({ rows, published }: ReplayProgress): void {
  if (process.stderr.isTTY) process.stderr.write(`\r${published} of ${rows} events published`);
}
