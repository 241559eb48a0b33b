import { z } from 'zod';
import { confirmationSchema, identifierSchema, secondsSchema, toSeconds, uuidSchema } from './claims.ts';
import { describeIssue, jwkOf, keyId, publicKeyOf } from './public-key.ts';
import { refusal } from './refusals.ts';
import type { SigningKey } from './signing-key.ts';
import {
  assembleDocument,
  type DocumentKind,
  readJson,
  signDocument,
  takeApart,
  verifyDocument,
} from './strict-jws.ts';
import type { ValidityWindow } from './validity-window.ts';
import type { VendorKeys } from './vendor-keys.ts';

const kind: DocumentKind = {
  name: 'host certificate',
  typ: 'muster-host+jwt',
  namesKey: true,
  maximumCharacters: 8192,
  code: 'UNTRUSTED_HOST',
  remedy: 'Check that this is the host you mean, and that its vendor is the one whose keys are trusted here.',
};

/** A certificate travels in a reply of at most 8,192 bytes, beside up to 2 KiB of result, proof and credential. */
const maximumIssuedCharacters = 6144;

const claimsSchema = z
  .strictObject({
    // Shown to people, so nothing that moves a cursor or turns the direction of writing.
    iss: z.string().regex(/^[^\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]{1,64}$/u, 'must be 1 to 64 printable characters'),
    sub: uuidSchema,
    iat: secondsSchema,
    exp: secondsSchema,
    cnf: confirmationSchema,
    application: identifierSchema,
    group: identifierSchema,
    editions: z
      .array(identifierSchema)
      .min(1)
      .max(256)
      .refine((editions) => new Set(editions).size === editions.length, 'must not repeat an edition'),
  })
  .refine(({ iat, exp }) => iat < exp, 'exp must be later than iat');

/** What a vendor certifies: this host key may activate these editions for this long (DESIGN 3). */
export interface HostCertificate extends ValidityWindow {
  /** The vendor's name, claim `iss`. */
  readonly vendor: string;
  readonly vendorKeyId: string;
  /** UUID in lower case, claim `sub`. */
  readonly hostId: string;
  /** Ed25519, 32 bytes, claim `cnf` (RFC 7800). */
  readonly hostPublicKey: Uint8Array;
  readonly application: string;
  readonly productGroup: string;
  /** Every edition that the host may activate, own and included ones. */
  readonly editions: readonly string[];
}

/** What `issueHostCertificate` certifies, and with which key. Times are cut to whole seconds. */
export interface HostCertificateOptions extends Omit<HostCertificate, 'vendorKeyId'> {
  readonly vendorKey: SigningKey;
}

/**
 * Issues a host certificate: a JWT, `typ` `muster-host+jwt`, signed by the vendor (DESIGN 3).
 * Rejects with DOCUMENT_INVALID when a value breaks a rule of the claims or the JWT is longer than 6,144 characters.
 */
export async function issueHostCertificate(options: HostCertificateOptions): Promise<string> {
  const payload = payloadOf(options);
  const jwt = await signDocument(kind, payload, options.vendorKey, keyId(options.vendorKey.publicKey));
  if (jwt.length > maximumIssuedCharacters) {
    throw cannotIssue(`it would be longer than ${maximumIssuedCharacters} characters; name fewer editions`);
  }
  return jwt;
}

/**
 * The certificate that `issueHostCertificate` makes, out of a signature that came another way. It is not verified by
 * this. Throws DOCUMENT_INVALID when a value breaks a rule of the claims.
 */
export function assembleHostCertificate(certificate: HostCertificate, signature: Uint8Array): string {
  return assembleDocument(kind, payloadOf(certificate), signature, certificate.vendorKeyId);
}

/** What a host certificate says and its signature, whoever signed it: nothing is verified. Throws UNTRUSTED_HOST. */
export function readHostCertificate(jwt: string): HostCertificate & { readonly signature: Uint8Array } {
  const { payload, signature, signerKeyId } = takeApart(kind, jwt);
  return { ...toCertificate(payload, signerKeyId), signature };
}

function payloadOf(options: Omit<HostCertificate, 'vendorKeyId'>): Uint8Array {
  const claims = claimsSchema.safeParse({
    iss: options.vendor,
    sub: options.hostId,
    iat: toSeconds(options.issuedAtMs),
    exp: toSeconds(options.expiresAtMs),
    cnf: { jwk: jwkOf(options.hostPublicKey) },
    application: options.application,
    group: options.productGroup,
    editions: options.editions,
  });
  if (!claims.success) throw cannotIssue(describeIssue(claims.error.issues[0]));
  return new TextEncoder().encode(JSON.stringify(claims.data));
}

/**
 * Verifies a host certificate by the vendor keys that are trusted: everything but the clock, for which see `isWithin`.
 * Rejects with UNTRUSTED_HOST, and with nothing else.
 */
export async function verifyHostCertificate(jwt: string, vendorKeys: VendorKeys): Promise<HostCertificate> {
  const { payload, signerKeyId } = await verifyDocument(kind, jwt, (id) => vendorKeys.get(id));
  return toCertificate(payload, signerKeyId);
}

function toCertificate(payload: Uint8Array, signerKeyId: string): HostCertificate {
  const claims = readJson(kind, 'claims', payload, claimsSchema);
  return {
    vendor: claims.iss,
    vendorKeyId: signerKeyId,
    hostId: claims.sub,
    hostPublicKey: publicKeyOf(claims.cnf.jwk),
    application: claims.application,
    productGroup: claims.group,
    editions: claims.editions,
    issuedAtMs: claims.iat * 1000,
    expiresAtMs: claims.exp * 1000,
  };
}

function cannotIssue(problem: string): Error {
  return refusal(
    'DOCUMENT_INVALID',
    `The host certificate cannot be issued: ${problem}.`,
    'Correct the value and issue the certificate again.',
  );
}
