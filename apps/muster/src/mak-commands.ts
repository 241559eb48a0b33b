import { existsSync } from 'node:fs';
import { connectToAuthority } from '@muster/licensing-policy';
import { MusterError } from '@muster/product-groups';
import { chooseConfirmations } from './mak-choice.ts';
import { fingerprintOf, ownInstallation } from './mak-client.ts';
import {
  type CollectedInstallation,
  collectInstallations,
  readInstallations,
  writeInstallations,
} from './mak-collection.ts';
import { ConfirmationsFile, confirmationsFileOf } from './mak-confirmations.ts';
import { refuseKeyArgument, withMakExitCode } from './mak-exit-code.ts';
import { readMak } from './mak-input.ts';
import { MakProgress } from './mak-progress.ts';
import { reportSubmitted, sayWhatIsKept } from './mak-report.ts';
import { applyConfirmation, defaultMakFile, keepConfirmation } from './mak-store.ts';
import { submitInstallations } from './mak-submit.ts';
import { exitCodes, print, printJson, say } from './output.ts';
import { loadVendors } from './trusted-vendors.ts';

/** The options of `muster mak collect`, parsed. */
export interface CollectOptions {
  readonly output: string;
  readonly names: boolean;
  readonly machine: boolean;
  readonly application?: string | undefined;
  readonly edition?: string | undefined;
  readonly fingerprint?: Uint8Array | undefined;
  readonly json: boolean;
}

/** `muster mak collect`. Returns the exit code, as all of these. */
export function collectFiles(files: readonly string[], options: CollectOptions): Promise<number> {
  return withMakExitCode(() => {
    const more = [...files.flatMap(readInstallations), ...thisMachine(options)];
    if (files.length === 0 && !options.machine) {
      throw new MusterError({
        code: 'INPUT_INVALID',
        message: 'There is nothing to collect.',
        remedy: 'Name files that machines wrote by `muster client mak request`, or give --machine on a machine.',
      });
    }
    const present = existsSync(options.output) ? readInstallations(options.output) : [];
    const { installations, added, known, clones } = collectInstallations(present, more, options.names);
    writeInstallations(options.output, installations);
    if (options.json) {
      printJson({ file: options.output, installations: installations.length, added, known, clones });
      return exitCodes.success;
    }
    print(`${options.output} holds ${installations.length} installations: ${added} new, ${known} known before.`);
    if (clones > 0) {
      say(`${clones} machines show the hardware of another machine: they are clones, and share one activation.`);
    }
    return exitCodes.success;
  });
}

/** The options of `muster mak submit`, parsed. */
export interface SubmitOptions {
  readonly authority: string;
  readonly authorityCa?: string | undefined;
  readonly authorityPlain: boolean;
  readonly keyFile?: string | undefined;
  readonly vendorKey: readonly string[];
  readonly batch: number;
  readonly json: boolean;
  readonly isKeyGiven: boolean;
}

/** `muster mak submit`. */
export function submitFile(path: string, options: SubmitOptions): Promise<number> {
  return withMakExitCode(async () => {
    refuseKeyArgument(options.isKeyGiven);
    const installations = readInstallations(path);
    const vendorKeys = loadVendors(options.vendorKey);
    const { authority: address, authorityCa: caFile, authorityPlain: plain } = options;
    const { authority, close } = connectToAuthority({ address, caFile, plain });
    const file = new ConfirmationsFile(confirmationsFileOf(path));
    const progress = new MakProgress();
    const interrupted = new AbortController();
    process.once('SIGINT', () => interrupted.abort());
    try {
      const productKey = await readMak(options.keyFile);
      const submitted = await submitInstallations(installations, file, {
        ...{ authority, productKey, vendorKeys },
        batchSize: options.batch,
        onProgress: progress.step,
        signal: interrupted.signal,
      });
      progress.end();
      reportSubmitted(path, installations, file, submitted, options.json);
      if (submitted.left > 0) return exitCodes.interrupted;
      return submitted.refused === 0 ? exitCodes.success : exitCodes.failure;
    } catch (error) {
      progress.end();
      sayWhatIsKept(installations, file);
      throw error;
    } finally {
      file.close();
      close();
    }
  });
}

/** The options of `muster mak apply`, parsed. */
export interface ApplyOptions {
  readonly installationId?: string | undefined;
  readonly store?: string | undefined;
  readonly vendorKey: readonly string[];
  readonly fingerprint?: Uint8Array | undefined;
  readonly json: boolean;
}

/** `muster mak apply`. */
export function applyFile(path: string, options: ApplyOptions): Promise<number> {
  return withMakExitCode(async () => {
    const vendorKeys = loadVendors(options.vendorKey);
    const fingerprint = fingerprintOf(options.fingerprint);
    const applied: object[] = [];
    for (const { confirmation } of chooseConfirmations(path, fingerprint, options.installationId)) {
      const { application, edition, productGroup } = await applyConfirmation(confirmation, vendorKeys, fingerprint);
      const file = options.store ?? defaultMakFile(application, edition);
      keepConfirmation(file, confirmation);
      applied.push({ application, edition, productGroup, file });
      if (!options.json) print(`${application} ${edition} is active for good. The confirmation is kept in ${file}.`);
    }
    if (options.json) printJson({ applied });
    return exitCodes.success;
  });
}

function thisMachine(options: CollectOptions): readonly CollectedInstallation[] {
  const { application, edition, machine, names, fingerprint } = options;
  if (!machine) return [];
  if (application !== undefined && edition !== undefined) {
    return [ownInstallation(application, edition, names, fingerprint)];
  }
  throw new MusterError({
    code: 'INPUT_INVALID',
    message: '--machine needs to know which product this machine runs.',
    remedy: 'Give --application and --edition.',
  });
}
