import { resolve } from 'node:path';
import {
  type ActivatedHost,
  type ConfirmedInstallation,
  KeyKind,
  type ProductKey,
  type VendorAdministration,
} from '@muster/contracts/vendor';
import { MusterError } from '@muster/product-groups';
import { formatUuid } from '@muster/wire-codec';
import { print, printJson, say } from './output.ts';
import { findKey } from './vendor-key-name.ts';
import { administerVendor, allOf, type VendorOptions, withExitCode } from './vendor-link.ts';
import { openSecretFile } from './vendor-output.ts';
import {
  describeHosts,
  describeInstallations,
  describeKey,
  describeKeys,
  hostDocument,
  installationDocument,
  keyDocument,
  kindName,
} from './vendor-report.ts';

/** Limits of a key as options, parsed; undefined for those that are left out. */
export interface LimitOptions {
  readonly hosts?: number | undefined;
  readonly activationsPerHost?: number | undefined;
  readonly certificateDays?: number | undefined;
  readonly activations?: number | undefined;
}

/** The options of `muster vendor key issue`, parsed. */
export interface IssueOptions extends VendorOptions, LimitOptions {
  readonly kind: 'KMS' | 'MAK';
  readonly application: string;
  readonly group: string;
  readonly customer: string;
  readonly validityDays?: number | undefined;
  readonly output?: string | undefined;
}

/** `muster vendor key issue`. Returns the exit code, as all of these. */
export function issueKey(options: IssueOptions): Promise<number> {
  return withExitCode(async () => {
    const { application, group: productGroup, customer, validityDays, json } = options;
    const file = options.output === undefined || options.output === '-' ? undefined : resolve(options.output);
    const secret = file === undefined ? undefined : openSecretFile(file);
    const request = {
      kind: KeyKind[options.kind],
      application,
      productGroup,
      customer,
      validityDays,
      ...limitsOf(options),
    };
    const issued = await administerVendor(options, (authority) => authority.issueKey(request)).catch((error) => {
      secret?.discard();
      throw error;
    });
    const { productKey, key } = issued;
    if (key === undefined) throw new Error('the authority told no key');
    if (secret !== undefined) keep(() => secret.write(`${productKey}\n`), key);
    if (json) {
      printJson({ ...keyDocument(key, Date.now()), ...(file === undefined ? { productKey } : { file }) });
      return;
    }
    say(`The ${kindName(key.kind)} ${key.lastFive} for ${key.customer} is issued (${formatUuid(key.keyId)}).`);
    // The key alone is the output, so that it can be piped.
    if (file === undefined) print(productKey);
    say(`${file === undefined ? 'This' : file} is the only place that it stands in: it cannot be shown again.`);
  });
}

/** A key that was issued and could not be written is known to nobody: it has to be revoked. */
function keep(write: () => void, { keyId, lastFive }: ProductKey): void {
  try {
    write();
  } catch (error) {
    throw new MusterError({
      code: 'OUTPUT_UNWRITABLE',
      message: `The key ${lastFive} is issued and lost: ${(error as Error).message}`,
      remedy: `Revoke it by \`muster vendor key revoke ${formatUuid(keyId)} --confirm ${lastFive} --reason lost\`, make room, and issue another.`,
      cause: error,
    });
  }
}

/** `muster vendor key list`. */
export function listIssuedKeys(
  options: VendorOptions & {
    readonly customer: string;
    readonly kind?: 'KMS' | 'MAK' | undefined;
    readonly application: string;
  },
): Promise<number> {
  return withExitCode(async () => {
    const { customer, application, kind = 'UNSPECIFIED' } = options;
    const request = { customer, application, kind: KeyKind[kind] };
    const keys = await administerVendor(options, (authority) => allOf(authority.listKeys(request)));
    const nowMs = Date.now();
    if (options.json) printJson({ keys: keys.map((key) => keyDocument(key, nowMs)) });
    else for (const line of describeKeys(keys, nowMs)) print(line);
  });
}

/** `muster vendor key show`. */
export function showIssuedKey(name: string, options: VendorOptions): Promise<number> {
  return withExitCode(async () => {
    const { key, hosts, installations } = await administerVendor(options, (authority) => readUse(authority, name));
    const nowMs = Date.now();
    if (options.json) {
      printJson(
        key.kind === KeyKind.MAK
          ? { ...keyDocument(key, nowMs), installations: installations.map(installationDocument) }
          : { ...keyDocument(key, nowMs), activatedHosts: hosts.map(hostDocument) },
      );
      return;
    }
    for (const line of describeKey(key, nowMs)) print(line);
    print('');
    const use = key.kind === KeyKind.MAK ? describeInstallations(installations) : describeHosts(hosts);
    for (const line of use) print(line);
  });
}

interface KeyUse {
  readonly key: ProductKey;
  readonly hosts: readonly ActivatedHost[];
  readonly installations: readonly ConfirmedInstallation[];
}

async function readUse(authority: VendorAdministration, name: string): Promise<KeyUse> {
  const key = await findKey(authority, name);
  const { keyId } = key;
  if (key.kind === KeyKind.MAK) {
    return { key, hosts: [], installations: await allOf(authority.listInstallations({ keyId })) };
  }
  return { key, hosts: await allOf(authority.listHosts({ keyId })), installations: [] };
}

/** `muster vendor key change`. */
export function changeIssuedKey(
  name: string,
  options: VendorOptions & LimitOptions & { readonly expires?: number | undefined },
): Promise<number> {
  return withExitCode(async () => {
    const wanted = { expiresAtUnixMs: options.expires, ...limitsOf(options) };
    if (Object.values(wanted).every((value) => value === undefined)) {
      throw new MusterError({
        code: 'INPUT_INVALID',
        message: 'Nothing is said that the key should be changed to.',
        remedy: 'Give --expires or a limit; `muster vendor key change --help` lists them.',
      });
    }
    const key = await administerVendor(options, async (authority) => {
      const { keyId } = await findKey(authority, name);
      return authority.changeKey({ keyId, ...wanted });
    });
    tell(key, options.json);
  });
}

/** `muster vendor key revoke`. */
export function revokeIssuedKey(
  name: string,
  options: VendorOptions & { readonly reason: string; readonly confirm: string },
): Promise<number> {
  return withExitCode(async () => {
    const { reason, confirm, json } = options;
    const key = await administerVendor(options, async (authority) => {
      const { keyId, lastFive } = await findKey(authority, name);
      if (confirm.toUpperCase() !== lastFive) {
        throw new MusterError({
          code: 'INPUT_INVALID',
          message: 'The key to be revoked does not end in the characters of --confirm.',
          remedy: 'Give the last five characters of the same key; what is revoked stays revoked.',
        });
      }
      return authority.revokeKey({ keyId, reason });
    });
    tell(key, json);
  });
}

function tell(key: ProductKey, json: boolean): void {
  const nowMs = Date.now();
  if (json) printJson(keyDocument(key, nowMs));
  else for (const line of describeKey(key, nowMs)) print(line);
}

function limitsOf({ hosts, activationsPerHost, certificateDays, activations }: LimitOptions) {
  return { hostLimit: hosts, activationsPerHost, certificateDays, makActivations: activations };
}
