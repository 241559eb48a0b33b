import { type VendorAdministration, VendorAdministrationService } from '@muster/contracts/vendor';
import { MusterError } from '@muster/product-groups';
import type { ServiceOptions } from './commands/service-options.ts';
import { exitCodes, sayError } from './output.ts';
import { callService } from './service-link.ts';

/** What every command of a vendor is given: where its authority is, and how the answer is printed. */
export interface VendorOptions extends ServiceOptions {
  /** `host:port` of its inner port, the one for administrators. */
  readonly authority: string;
  readonly json: boolean;
}

/**
 * Calls the vendor's authority with the certificate of an administrator.
 *
 * @throws MusterError as `callService`, and what the authority refuses.
 */
export async function administerVendor<Result>(
  options: VendorOptions,
  call: (authority: VendorAdministration) => Promise<Result>,
): Promise<Result> {
  try {
    return await callService(VendorAdministrationService, 'vendor-authority', options.authority, options, call);
  } catch (error) {
    if (!(error instanceof MusterError) || error.code !== 'UNAVAILABLE') throw error;
    // The remedy of the code is for machines that are to be activated.
    throw new MusterError({
      code: 'UNAVAILABLE',
      message: error.message,
      remedy: `Check that the authority runs, and that --authority names its address for administrators (now ${options.authority}).`,
      cause: error,
    });
  }
}

/** All values of a stream. */
export async function allOf<Value>(values: AsyncIterable<Value>): Promise<readonly Value[]> {
  const all: Value[] = [];
  for await (const value of values) all.push(value);
  return all;
}

/** What is wrong with what was typed or handed over, and not with the authority. */
const wrongInput = new Set([
  'INPUT_INVALID',
  'SETTING_INVALID',
  'DOCUMENT_INVALID',
  'KEY_INVALID',
  'KEY_UNKNOWN',
  'CATALOGUE_INVALID',
  'CATALOGUE_NOT_FOUND',
]);

/** Runs a command. Returns its exit code; other errors than those of wrong input go on to the caller. */
export async function withExitCode(run: () => Promise<void>): Promise<number> {
  try {
    await run();
    return exitCodes.success;
  } catch (error) {
    if (!(error instanceof MusterError) || !wrongInput.has(error.code)) throw error;
    sayError(error);
    return exitCodes.usage;
  }
}
