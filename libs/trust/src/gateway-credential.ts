import { z } from 'zod';
import { confirmationSchema, secondsSchema, toSeconds } from './claims.ts';
import { describeIssue, jwkOf, publicKeyOf } from './public-key.ts';
import { refusal } from './refusals.ts';
import type { SigningKey } from './signing-key.ts';
import { type DocumentKind, readJson, signDocument, verifyDocument } from './strict-jws.ts';
import type { ValidityWindow } from './validity-window.ts';

/** The longest life of a gateway credential: 24 hours (DESIGN 3). */
export const maximumCredentialLifeMs = 24 * 60 * 60 * 1000;

const kind: DocumentKind = {
  name: 'gateway credential',
  typ: 'muster-gateway+jwt',
  namesKey: false,
  maximumCharacters: 8192,
  code: 'UNTRUSTED_HOST',
  remedy: 'Ask again; if it stays so, check the gateway and whether something between stands in for the host.',
};

const claimsSchema = z
  .strictObject({
    sub: z.string().regex(/^[\x21-\x7e]{1,128}$/, 'must be 1 to 128 printable ASCII characters without spaces'),
    iat: secondsSchema,
    exp: secondsSchema,
    cnf: confirmationSchema,
  })
  .refine(({ iat, exp }) => iat < exp, 'exp must be later than iat')
  .refine(({ iat, exp }) => (exp - iat) * 1000 <= maximumCredentialLifeMs, 'exp must be at most 24 hours after iat');

/** What a host certifies: this gateway key may sign results for this long (DESIGN 3). */
export interface GatewayCredential extends ValidityWindow {
  /** Claim `sub`. */
  readonly gatewayId: string;
  /** Ed25519, 32 bytes, claim `cnf` (RFC 7800). */
  readonly gatewayPublicKey: Uint8Array;
}

/** What `issueGatewayCredential` certifies, and with which key. Times are cut to whole seconds. */
export interface GatewayCredentialOptions extends GatewayCredential {
  readonly hostKey: SigningKey;
}

/**
 * Issues a gateway credential: a JWT, `typ` `muster-gateway+jwt`, signed by the host (DESIGN 3).
 * Rejects with DOCUMENT_INVALID when a value breaks a rule of the claims or it would live longer than 24 hours.
 */
export async function issueGatewayCredential(options: GatewayCredentialOptions): Promise<string> {
  const claims = claimsSchema.safeParse({
    sub: options.gatewayId,
    iat: toSeconds(options.issuedAtMs),
    exp: toSeconds(options.expiresAtMs),
    cnf: { jwk: jwkOf(options.gatewayPublicKey) },
  });
  if (!claims.success) {
    throw refusal(
      'DOCUMENT_INVALID',
      `The gateway credential cannot be issued: ${describeIssue(claims.error.issues[0])}.`,
      'Correct the value and issue the credential again.',
    );
  }
  return signDocument(kind, new TextEncoder().encode(JSON.stringify(claims.data)), options.hostKey);
}

/**
 * Verifies a gateway credential by the key of the host certificate: everything but the clock, for which see `isWithin`.
 * Rejects with UNTRUSTED_HOST, and with nothing else.
 */
export async function verifyGatewayCredential(jwt: string, hostPublicKey: Uint8Array): Promise<GatewayCredential> {
  const { payload } = await verifyDocument(kind, jwt, () => hostPublicKey);
  const claims = readJson(kind, 'claims', payload, claimsSchema);
  return {
    gatewayId: claims.sub,
    gatewayPublicKey: publicKeyOf(claims.cnf.jwk),
    issuedAtMs: claims.iat * 1000,
    expiresAtMs: claims.exp * 1000,
  };
}
