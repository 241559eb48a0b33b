import { type PolicyAdministration, PolicyAdministrationService } from '@muster/contracts/policy';
import type { ServiceOptions } from './commands/service-options.ts';
import { LocalSocket } from './local-socket.ts';
import { callService } from './service-link.ts';

/** Which host a key command is for. */
export interface KeyHostOptions extends ServiceOptions {
  /** The data directory of a `muster serve` that runs. */
  readonly data: string;
  /** `host:port` of licensing-policy where it runs as a process of its own; it goes before the directory. */
  readonly policy?: string | undefined;
}

/**
 * Calls the administration of a host: that of the `muster serve` on a data directory, or of a licensing-policy apart.
 *
 * @throws MusterError `NOT_RUNNING`, what `callService` throws, and what the call throws.
 */
export function administerHost<Result>(
  options: KeyHostOptions,
  call: (administration: PolicyAdministration) => Promise<Result>,
): Promise<Result> {
  if (options.policy === undefined) return LocalSocket.usePolicy(options.data, call);
  return callService(PolicyAdministrationService, 'licensing-policy', options.policy, options, call);
}
