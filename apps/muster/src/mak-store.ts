import { readdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { MusterError } from '@muster/product-groups';
import { checkInstallation, type MakConfirmation, type VendorKeys, verifyMakConfirmation } from '@muster/trust';
import { writeWholeFile } from './whole-file.ts';

/** Where confirmations of this user's machine are kept unless told. */
export function defaultMakDirectory(): string {
  return join(process.env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'muster-client', 'mak');
}

/** The file of an edition, one for each, so that activations beside each other do not meet. */
export function defaultMakFile(application: string, edition: string): string {
  return join(defaultMakDirectory(), `${application}.${edition}.jwt`);
}

/** The files with confirmations in the default directory. */
export function keptMakFiles(): readonly string[] {
  const directory = defaultMakDirectory();
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.jwt'))
      .sort()
      .map((name) => join(directory, name));
  } catch {
    return []; // nothing was kept yet
  }
}

/** Keeps a confirmation, whole or not at all. @throws MusterError `OUTPUT_UNWRITABLE`. */
export function keepConfirmation(file: string, confirmation: string): void {
  writeWholeFile(file, `${confirmation}\n`);
}

/**
 * The confirmation that a file keeps; undefined when there is no such file.
 *
 * @throws MusterError `INPUT_INVALID` when it cannot be read.
 */
export function readConfirmation(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new MusterError({
      code: 'INPUT_INVALID',
      message: `${file} cannot be read: ${(error as Error).message}.`,
      remedy: 'Run the command as the user that activated, or name the file by --store.',
      cause: error,
    });
  }
}

/**
 * Applies a confirmation to this machine: nobody is asked, and nothing is used.
 *
 * @param fingerprint of the hardware as it is now.
 * @throws MusterError `CONFIRMATION_INVALID`, `HARDWARE_CHANGED`.
 */
export async function applyConfirmation(
  confirmation: string,
  vendorKeys: VendorKeys,
  fingerprint: Uint8Array,
): Promise<MakConfirmation> {
  const confirmed = await verifyMakConfirmation(confirmation, vendorKeys);
  checkInstallation(confirmed, fingerprint);
  return confirmed;
}
