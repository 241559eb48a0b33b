import { keyId } from './public-key.ts';

/**
 * The vendor keys that somebody trusts, by key id (RFC 7638 thumbprint). More than one while a vendor changes its key:
 * the old and the new one are both accepted (DESIGN 3).
 */
export type VendorKeys = ReadonlyMap<string, Uint8Array>;

/** The set of these public keys, 32 bytes each. Throws DOCUMENT_INVALID for another length. */
export function vendorKeys(...publicKeys: readonly Uint8Array[]): VendorKeys {
  return new Map(publicKeys.map((publicKey) => [keyId(publicKey), publicKey]));
}
