import { keyId } from './public-key.ts';
import type { SigningKey } from './signing-key.ts';
import { type DocumentKind, refuse, signDocument, verifyDocument } from './strict-jws.ts';
import type { VendorKeys } from './vendor-keys.ts';

const kind: DocumentKind = {
  name: 'signed catalogue',
  typ: 'muster-catalogue',
  namesKey: true,
  maximumCharacters: 2 * 1024 * 1024,
  code: 'DOCUMENT_INVALID',
  remedy: 'Get the signed catalogue from the vendor again, and check which vendor keys are trusted.',
};

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A catalogue whose signature by a trusted vendor holds (DESIGN 3). */
export interface VerifiedCatalogue {
  /** The YAML or JSON text, byte for byte as it was signed. */
  readonly text: string;
  readonly vendorKeyId: string;
}

/**
 * Signs the text of a catalogue as a compact JWS, `typ` `muster-catalogue` (DESIGN 2.1 and 3).
 * Rejects with DOCUMENT_INVALID when the JWS would be longer than 2 MiB or the text is not well-formed Unicode.
 */
export async function signCatalogue(options: { readonly text: string; readonly vendor: SigningKey }): Promise<string> {
  if (!options.text.isWellFormed()) throw refuse(kind, 'contains half a surrogate pair');
  const payload = new TextEncoder().encode(options.text);
  const jws = await signDocument(kind, payload, options.vendor, keyId(options.vendor.publicKey));
  if (jws.length > kind.maximumCharacters) throw refuse(kind, `is longer than ${kind.maximumCharacters} characters`);
  return jws;
}

/**
 * Verifies a signed catalogue by the vendor keys that are trusted. The text still has to be parsed as a catalogue.
 * Rejects with DOCUMENT_INVALID, and with nothing else.
 */
export async function verifyCatalogue(jws: string, vendorKeys: VendorKeys): Promise<VerifiedCatalogue> {
  const { payload, signerKeyId } = await verifyDocument(kind, jws, (id) => vendorKeys.get(id));
  try {
    return { text: utf8.decode(payload), vendorKeyId: signerKeyId };
  } catch (cause) {
    throw refuse(kind, 'is not UTF-8 text', cause);
  }
}
