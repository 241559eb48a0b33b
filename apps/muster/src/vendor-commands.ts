import type { SignedCatalogue, Vendor, VendorAdministration } from '@muster/contracts/vendor';
import { parseCatalogue } from '@muster/product-groups';
import { keyId, publicKeyFromJwk, vendorKeys, verifyCatalogue } from '@muster/trust';
import { formatUuid } from '@muster/wire-codec';
import { formatAuditHead } from './audit-anchor.ts';
import { CatalogueInvalidError, readCatalogue } from './catalogue-source.ts';
import { readText } from './key-input.ts';
import { colour, formatTime, print, printJson, say } from './output.ts';
import { administerVendor, type VendorOptions, withExitCode } from './vendor-link.ts';
import { writePublicFile } from './vendor-output.ts';
import { fittingTable } from './vendor-table.ts';

/** `muster vendor create`. Returns the exit code, as all of these. */
export function createVendor(name: string, options: VendorOptions & KeyFileOption): Promise<number> {
  return withExitCode(async () => {
    showVendor(await administerVendor(options, (authority) => authority.createVendor({ name })), options);
  });
}

/** `muster vendor show`. */
export function describeVendor(options: VendorOptions & KeyFileOption): Promise<number> {
  return withExitCode(async () => {
    showVendor(await administerVendor(options, (authority) => authority.getVendor({})), options);
  });
}

interface KeyFileOption {
  readonly keyFile?: string | undefined;
}

function showVendor(vendor: Vendor, { json, keyFile }: { readonly json: boolean } & KeyFileOption): void {
  const { name, publicKeyJwk, createdAtUnixMs, auditHead } = vendor;
  if (auditHead === undefined) throw new Error('the authority told no end of its audit trail');
  if (keyFile === '-' && !json) {
    print(publicKeyJwk);
    return;
  }
  const file = keyFile === '-' ? undefined : keyFile;
  if (file !== undefined) writePublicFile(file, `${publicKeyJwk}\n`);
  const keyName = keyId(publicKeyFromJwk(publicKeyJwk));
  if (json) {
    printJson({
      name,
      createdAt: new Date(createdAtUnixMs).toISOString(),
      keyId: keyName,
      publicKey: JSON.parse(publicKeyJwk),
      keyFile: file ?? null,
      auditHead: formatAuditHead(auditHead),
    });
    return;
  }
  print(`${colour('bold', name)}, created ${formatTime(createdAtUnixMs)}`);
  print(`  key id       ${keyName}`);
  print(`  public key   ${publicKeyJwk}`);
  print(`  audit trail  ${formatAuditHead(auditHead)}`);
  if (file !== undefined) say(`${file} holds the public key: products are built with it, and hosts trust it.`);
}

/** `muster vendor catalogue sign`. */
export function signCatalogueFile(source: string, options: VendorOptions & SignedFileOption): Promise<number> {
  return withExitCode(async () => {
    const { text } = readCatalogue(source);
    const signed = await administerVendor(options, (authority) => authority.signCatalogue({ text }));
    if (giveSigned(signed, options)) return;
    if (options.json) printJson(catalogueDocument(signed, options));
    else print(`The catalogue ${describeCatalogue(signed)}, and is in force.`);
  });
}

/** `muster vendor catalogue show`. */
export function showSignedCatalogue(options: VendorOptions & SignedFileOption): Promise<number> {
  return withExitCode(async () => {
    const { signed, groups } = await administerVendor(options, readInForce);
    if (giveSigned(signed, options)) return;
    if (options.json) {
      printJson({ ...catalogueDocument(signed, options), productGroups: groups });
    } else {
      print(`The catalogue ${describeCatalogue(signed)}.\n`);
      const rows = groups.map(({ application, productGroup, key }) => [application, productGroup, key]);
      print(fittingTable(['application', 'product group', 'key'], rows, [0, 1]));
    }
  });
}

interface SignedFileOption {
  readonly output?: string | undefined;
}

/** The catalogue in force, and for what keys may be issued by it. */
async function readInForce(authority: VendorAdministration) {
  const [signed, { publicKeyJwk }] = await Promise.all([authority.getCatalogue({}), authority.getVendor({})]);
  const { text } = await verifyCatalogue(signed.signedCatalogue, vendorKeys(publicKeyFromJwk(publicKeyJwk)));
  const parsed = parseCatalogue(text, signed.catalogue);
  if (!parsed.ok) throw new CatalogueInvalidError(signed.catalogue, parsed.problems);
  const groups = [...parsed.catalogue.applications.values()].flatMap(({ id, groups }) =>
    [...groups.values()].map((group) => ({ application: id, productGroup: group.id, key: group.key })),
  );
  return { signed, groups };
}

/** Gives the signed catalogue to whom it is for. Returns whether it is the whole output. */
function giveSigned({ signedCatalogue }: SignedCatalogue, { output, json }: SignedFileOption & VendorOptions): boolean {
  if (output === '-' && !json) {
    print(signedCatalogue);
    return true;
  }
  if (output !== undefined && output !== '-') {
    writePublicFile(output, `${signedCatalogue}\n`);
    if (!json) say(`${output} holds the signed catalogue, for the customers' hosts.`);
  }
  return false;
}

function catalogueDocument(signed: SignedCatalogue, { output }: SignedFileOption): object {
  const { catalogue, version, signedAtUnixMs, signedCatalogue } = signed;
  const signedAt = new Date(signedAtUnixMs).toISOString();
  return {
    catalogue,
    version,
    signedAt,
    ...(output === undefined || output === '-' ? { signedCatalogue } : { file: output }),
  };
}

function describeCatalogue({ catalogue, version, signedAtUnixMs }: SignedCatalogue): string {
  return `${catalogue} version ${version} was signed ${formatTime(signedAtUnixMs)}`;
}

/** `muster vendor confirm`. */
export function confirmRequest(
  file: string,
  options: VendorOptions & { readonly output?: string | undefined },
): Promise<number> {
  return withExitCode(async () => {
    const request = await readText(file);
    const made = await administerVendor(options, (authority) => authority.confirmActivationRequest({ request }));
    const { confirmation, application, productGroup, expiresAtUnixMs, activationsUsed, activationLimit } = made;
    const hostId = formatUuid(made.hostId);
    const output = options.output === '-' ? undefined : options.output;
    if (output !== undefined) writePublicFile(output, confirmation);
    if (options.json) {
      printJson({
        hostId,
        application,
        productGroup,
        expiresAt: new Date(expiresAtUnixMs).toISOString(),
        activations: { used: activationsUsed, limit: activationLimit },
        ...(output === undefined ? { confirmation } : { file: output }),
      });
      return;
    }
    // The block alone is the output, so that it can be piped and redirected.
    if (output === undefined) process.stdout.write(confirmation);
    say(
      `The host ${hostId} is activated for ${application}/${productGroup} until ${formatTime(expiresAtUnixMs)}; it has used ${activationsUsed} of ${activationLimit} activations.`,
    );
    say(`${output ?? 'The block'} goes back to the host: muster key confirm ${output ?? 'FILE'}`);
  });
}
