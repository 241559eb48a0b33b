import { createHash } from 'node:crypto';
import { MusterError } from '@muster/product-groups';
import { z } from 'zod';
import { decodeBase64url, encodeBase64url } from './base64url.ts';
import { identifierSchema, secondsSchema, toSeconds } from './claims.ts';
import { describeIssue, keyId } from './public-key.ts';
import { refusal } from './refusals.ts';
import type { SigningKey } from './signing-key.ts';
import { type DocumentKind, readJson, signDocument, verifyDocument } from './strict-jws.ts';
import type { VendorKeys } from './vendor-keys.ts';

const kind: DocumentKind = {
  name: 'MAK confirmation',
  typ: 'muster-mak+jwt',
  namesKey: true,
  maximumCharacters: 2048,
  code: 'CONFIRMATION_INVALID',
  remedy: 'Ask the vendor to confirm the installation again with its MAK, and apply the confirmation unchanged.',
};

/** Length of an installation id in bytes. */
export const installationIdBytes = 32;

const installationIdSchema = z
  .string()
  .refine((text) => text.length === 43 && decodeBase64url(text) !== undefined, 'must be 32 bytes in base64url');

const claimsSchema = z.strictObject({
  iss: z.string().regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,64}$/u, 'must be 1 to 64 printable characters'),
  sub: installationIdSchema,
  iat: secondsSchema,
  application: identifierSchema,
  group: identifierSchema,
  edition: identifierSchema,
});

/** What a vendor confirms: this installation is activated by a MAK, for good (DESIGN 3). */
export interface MakConfirmation {
  /** The vendor's name, claim `iss`. */
  readonly vendor: string;
  readonly vendorKeyId: string;
  /** 32 bytes, claim `sub`. */
  readonly installationId: Uint8Array;
  readonly application: string;
  readonly productGroup: string;
  readonly edition: string;
  /** Milliseconds since 1970, whole seconds. */
  readonly confirmedAtMs: number;
}

/**
 * What names an installation towards the vendor: a hash of the hardware and of what is installed on it. A reinstall on
 * the same hardware has the same one; other hardware, application or edition another.
 *
 * @param fingerprint the hash of the machine's hardware, 32 bytes.
 */
export function installationId(fingerprint: Uint8Array, application: string, edition: string): Uint8Array {
  if (fingerprint.length !== 32) throw new RangeError('a fingerprint has 32 bytes');
  return createHash('sha256').update(`muster installation\0${application}\0${edition}\0`).update(fingerprint).digest();
}

/** What `issueMakConfirmation` confirms, and with which key. */
export interface MakConfirmationOptions extends Omit<MakConfirmation, 'vendorKeyId'> {
  readonly vendorKey: SigningKey;
}

/** Confirms an installation: a JWT, `typ` `muster-mak+jwt`, signed by the vendor. Rejects with DOCUMENT_INVALID. */
export async function issueMakConfirmation(options: MakConfirmationOptions): Promise<string> {
  const claims = claimsSchema.safeParse({
    iss: options.vendor,
    sub: encodeBase64url(options.installationId),
    iat: toSeconds(options.confirmedAtMs),
    application: options.application,
    group: options.productGroup,
    edition: options.edition,
  });
  if (!claims.success) {
    throw refusal(
      'DOCUMENT_INVALID',
      `The MAK confirmation cannot be issued: ${describeIssue(claims.error.issues[0])}.`,
      'Correct the value and confirm the installation again.',
    );
  }
  const payload = new TextEncoder().encode(JSON.stringify(claims.data));
  return signDocument(kind, payload, options.vendorKey, keyId(options.vendorKey.publicKey));
}

/** Verifies a confirmation by the vendor keys that are trusted. Rejects with CONFIRMATION_INVALID, and nothing else. */
export async function verifyMakConfirmation(jwt: string, vendorKeys: VendorKeys): Promise<MakConfirmation> {
  const { payload, signerKeyId } = await verifyDocument(kind, jwt, (id) => vendorKeys.get(id));
  const claims = readJson(kind, 'claims', payload, claimsSchema);
  return {
    vendor: claims.iss,
    vendorKeyId: signerKeyId,
    installationId: Buffer.from(claims.sub, 'base64url'),
    application: claims.application,
    productGroup: claims.group,
    edition: claims.edition,
    confirmedAtMs: claims.iat * 1000,
  };
}

/**
 * Checks that a confirmation is for this installation.
 *
 * @param fingerprint of the hardware as it is now.
 * @throws MusterError `HARDWARE_CHANGED` when it was given to other hardware.
 */
export function checkInstallation(confirmation: MakConfirmation, fingerprint: Uint8Array): void {
  const present = installationId(fingerprint, confirmation.application, confirmation.edition);
  if (Buffer.compare(present, confirmation.installationId) === 0) return;
  throw new MusterError({
    code: 'HARDWARE_CHANGED',
    message: 'The confirmation was given to other hardware than this.',
  });
}
