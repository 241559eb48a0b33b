import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MusterError } from '@muster/product-groups';
import { keyId, publicKeyFromJwk, type VendorKeys, vendorKeys } from '@muster/trust';
import { trustedVendorsDirectory } from './paths.ts';

/**
 * Adds a vendor to those that this user's muster commands believe. A product has its vendor's key built in; the
 * commands keep theirs in files.
 *
 * @returns the file.
 */
export function rememberVendor(publicKeyJwk: string): string {
  const directory = trustedVendorsDirectory();
  mkdirSync(directory, { recursive: true });
  const path = join(directory, `${keyId(publicKeyFromJwk(publicKeyJwk))}.jwk`);
  writeFileSync(path, `${publicKeyJwk}\n`);
  return path;
}

/**
 * The vendors to believe: those of the named files, or all that were remembered.
 *
 * @throws MusterError `DOCUMENT_INVALID` when a file holds no public key, `UNTRUSTED_HOST` when there is no vendor.
 */
export function loadVendors(files: readonly string[]): VendorKeys {
  const keys = (files.length > 0 ? files : rememberedFiles()).map(readKey);
  if (keys.length > 0) return vendorKeys(...keys);
  throw new MusterError({
    code: 'UNTRUSTED_HOST',
    message: `No vendor is known whose hosts could be believed: ${trustedVendorsDirectory()} is empty.`,
    remedy: "Name the vendor's public key with --vendor-key FILE, or start a demonstration with `muster serve --demo`.",
  });
}

function rememberedFiles(): string[] {
  const directory = trustedVendorsDirectory();
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.jwk'))
      .map((name) => join(directory, name));
  } catch {
    return []; // not made yet
  }
}

function readKey(path: string): Uint8Array {
  try {
    return publicKeyFromJwk(readFileSync(path, 'utf8').trim());
  } catch (error) {
    throw new MusterError({
      code: 'DOCUMENT_INVALID',
      message: `${path} is not a vendor's public key: ${(error as Error).message}`,
      remedy: 'Give a file with an Ed25519 public key as a JWK.',
      cause: error,
    });
  }
}
