import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { confirmMak, type MakGateway } from '@muster/client';
import { MusterError } from '@muster/product-groups';
import { installationId, type MakConfirmation, type VendorKeys } from '@muster/trust';
import type { HostAndPort } from './commands/parse.ts';
import { machineFingerprint } from './machine-fingerprint.ts';
import { type CollectedInstallation, installationsText, writeInstallations } from './mak-collection.ts';
import { refuseKeyArgument, withMakExitCode } from './mak-exit-code.ts';
import { readMak } from './mak-input.ts';
import { applyConfirmation, defaultMakFile, keepConfirmation, keptMakFiles, readConfirmation } from './mak-store.ts';
import { colour, exitCodes, formatTime, print, printJson, say } from './output.ts';
import { table } from './table.ts';
import { loadVendors } from './trusted-vendors.ts';
import { musterVersion } from './version.ts';

/** The options of `muster client mak activate`, parsed. */
export interface ActivateOptions {
  readonly application: string;
  readonly edition: string;
  readonly host?: HostAndPort | undefined;
  readonly tls: boolean;
  readonly tlsCa?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly store?: string | undefined;
  readonly vendorKey: readonly string[];
  readonly fingerprint?: Uint8Array | undefined;
  readonly again: boolean;
  readonly json: boolean;
  /** Whether something stands on the command line that may be a key. */
  readonly isKeyGiven: boolean;
}

/** `muster client mak activate`. Returns the exit code. */
export function activateByMak(options: ActivateOptions): Promise<number> {
  return withMakExitCode(async () => {
    refuseKeyArgument(options.isKeyGiven);
    const { application, edition } = options;
    const vendorKeys = loadVendors(options.vendorKey);
    const fingerprint = fingerprintOf(options.fingerprint);
    const file = options.store ?? defaultMakFile(application, edition);
    const kept = options.again ? undefined : readConfirmation(file);
    if (kept !== undefined) {
      const confirmed = await applyConfirmation(kept, vendorKeys, fingerprint);
      checkEdition(confirmed, options, file);
      tell(confirmed, options, file, false);
      return exitCodes.success;
    }
    const gateway = gatewayOf(options, vendorKeys);
    const productKey = await readMak(options.keyFile);
    const id = installationId(fingerprint, application, edition);
    const clientVersion = `muster/${musterVersion}`;
    const confirmed = await confirmMak(gateway, {
      ...{ productKey, application, edition, clientVersion },
      installationId: id,
    });
    keepConfirmation(file, confirmed.confirmation);
    tell(confirmed, options, file, true);
    return exitCodes.success;
  });
}

/** `muster client mak request`. */
export function requestByMak(options: {
  readonly application: string;
  readonly edition: string;
  readonly output: string;
  readonly name: boolean;
  readonly fingerprint?: Uint8Array | undefined;
}): void {
  const line = ownInstallation(options.application, options.edition, options.name, options.fingerprint);
  if (options.output === '-') process.stdout.write(installationsText([line]));
  else writeInstallations(options.output, [line]);
}

/** `muster client mak status`. Returns the exit code. */
export async function showMakStatus(options: {
  readonly store?: string | undefined;
  readonly vendorKey: readonly string[];
  readonly fingerprint?: Uint8Array | undefined;
  readonly json: boolean;
}): Promise<number> {
  const files = options.store === undefined ? keptMakFiles() : [options.store];
  const vendorKeys = files.length === 0 ? new Map() : loadVendors(options.vendorKey);
  const fingerprint = files.length === 0 ? new Uint8Array(32) : fingerprintOf(options.fingerprint);
  const states = await Promise.all(files.map((file) => stateOf(file, vendorKeys, fingerprint)));
  const isActive = states.length > 0 && states.every(({ state }) => state === 'active');
  if (options.json) printJson({ active: isActive, activations: states });
  else if (states.length === 0) print('This machine is activated by no MAK.');
  else {
    const rows = states.map(({ application, edition, productGroup, confirmedAt, state, file }) => [
      ...[application ?? '', edition ?? '', productGroup ?? '', confirmedAt ?? ''],
      ...[state === 'active' ? colour('green', state) : colour('red', state), file],
    ]);
    print(table(['application', 'edition', 'group', 'confirmed', 'state', 'file'], rows));
  }
  return isActive ? exitCodes.success : exitCodes.failure;
}

/** The installation of this machine, as a collection names it. @throws MusterError `INPUT_INVALID`. */
export function ownInstallation(
  application: string,
  edition: string,
  withName: boolean,
  given: Uint8Array | undefined,
): CollectedInstallation {
  return {
    installationId: Buffer.from(installationId(fingerprintOf(given), application, edition)).toString('hex'),
    application,
    edition,
    ...(withName ? { machineName: hostname() } : {}),
    collectedAt: new Date().toISOString(),
  };
}

/** The fingerprint that was given, or that of this machine. @throws MusterError `INPUT_INVALID`. */
export function fingerprintOf(given: Uint8Array | undefined): Uint8Array {
  return given ?? machineFingerprint().fingerprint;
}

interface MakState {
  readonly file: string;
  /** `active`, or why not. */
  readonly state: string;
  readonly application?: string;
  readonly edition?: string;
  readonly productGroup?: string;
  readonly confirmedAt?: string;
}

async function stateOf(file: string, vendorKeys: VendorKeys, fingerprint: Uint8Array): Promise<MakState> {
  try {
    const kept = readConfirmation(file);
    if (kept === undefined) return { file, state: 'not activated' };
    const { application, edition, productGroup, confirmedAtMs } = await applyConfirmation(
      kept,
      vendorKeys,
      fingerprint,
    );
    return { file, state: 'active', application, edition, productGroup, confirmedAt: formatTime(confirmedAtMs) };
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    return { file, state: error.code };
  }
}

function gatewayOf({ host, tls, tlsCa }: ActivateOptions, vendorKeys: VendorKeys): MakGateway {
  if (host === undefined) {
    throw new MusterError({
      code: 'INPUT_INVALID',
      message: "This machine is not activated yet, and the vendor's gateway is not named.",
      remedy: 'Name it by --host HOST:PORT.',
    });
  }
  const isSecure = tls || tlsCa !== undefined;
  if (!isSecure && !/^(127(\.\d+){3}|::1|localhost)$/.test(host.host)) {
    say(
      `${colour('yellow', 'warning', process.stderr)}: without --tls everybody on the way to ${host.host} can read the MAK.`,
    );
  }
  return { ...host, vendorKeys, ...(isSecure ? { tls: tlsCa === undefined ? {} : { ca: readCa(tlsCa) } } : {}) };
}

function readCa(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const message = `${file} cannot be read: ${(error as Error).message}.`;
    throw new MusterError({ code: 'TLS_INVALID', message, cause: error });
  }
}

/** One file may be named for several editions. */
function checkEdition({ application, edition }: MakConfirmation, wanted: ActivateOptions, file: string): void {
  if (application === wanted.application && edition === wanted.edition) return;
  throw new MusterError({
    code: 'CONFIRMATION_INVALID',
    message: `${file} keeps the confirmation of ${application} ${edition}.`,
    remedy: 'Name another file by --store.',
  });
}

function tell(confirmed: MakConfirmation, options: { readonly json: boolean }, file: string, isNew: boolean): void {
  const { application, edition, productGroup, vendor, confirmedAtMs } = confirmed;
  const confirmedAt = new Date(confirmedAtMs).toISOString();
  if (options.json) {
    const id = Buffer.from(confirmed.installationId).toString('hex');
    printJson({
      active: true,
      asked: isNew,
      application,
      edition,
      productGroup,
      vendor,
      installationId: id,
      confirmedAt,
      file,
    });
    return;
  }
  print(`${application} ${edition} is active for good, by a MAK of ${productGroup} (${vendor}).`);
  print(
    isNew
      ? `The confirmation is kept in ${file}.`
      : `It was confirmed at ${formatTime(confirmedAtMs)}; nobody was asked.`,
  );
}
