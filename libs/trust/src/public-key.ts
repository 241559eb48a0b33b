import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { decodeBase64url, encodeBase64url } from './base64url.ts';
import { refusal } from './refusals.ts';

/** Length of an Ed25519 public key in bytes (RFC 8032). */
export const publicKeyBytes = 32;

const maximumJwkCharacters = 1024;

// The fixed start of an Ed25519 SubjectPublicKeyInfo (RFC 8410); the 32 bytes of the key follow.
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** An Ed25519 public key as a JWK with these three members and no other (RFC 8037). */
export const jwkSchema = z.strictObject({
  kty: z.literal('OKP'),
  crv: z.literal('Ed25519'),
  x: z.string().refine((x) => x.length === 43 && decodeBase64url(x) !== undefined, 'must be 32 bytes in base64url'),
});

export type Ed25519Jwk = z.infer<typeof jwkSchema>;

/** The JWK members of a public key. Throws DOCUMENT_INVALID unless it has 32 bytes. */
export function jwkOf(publicKey: Uint8Array): Ed25519Jwk {
  if (publicKey.length !== publicKeyBytes) {
    throw refusal(
      'DOCUMENT_INVALID',
      `An Ed25519 public key has ${publicKeyBytes} bytes, not ${publicKey.length}.`,
      'Use the public key as it was made, 32 bytes long.',
    );
  }
  return { kty: 'OKP', crv: 'Ed25519', x: encodeBase64url(publicKey) };
}

/** The 32 bytes of a public key whose JWK passed `jwkSchema`. */
export function publicKeyOf(jwk: Ed25519Jwk): Uint8Array {
  return Buffer.from(jwk.x, 'base64url');
}

/**
 * A public key as JWK text on one line: `{"kty":"OKP","crv":"Ed25519","x":"..."}` (RFC 8037).
 * Throws DOCUMENT_INVALID unless the key has 32 bytes.
 */
export function publicKeyToJwk(publicKey: Uint8Array): string {
  return JSON.stringify(jwkOf(publicKey));
}

/**
 * Reads JWK text (RFC 8037). Whitespace is free; the members are exactly `kty`, `crv` and `x`, each once, so a private
 * key (member `d`) is refused. Throws DOCUMENT_INVALID.
 */
export function publicKeyFromJwk(text: string): Uint8Array {
  const remedy = 'Give the public key as the JWK {"kty":"OKP","crv":"Ed25519","x":"..."}, with no other member.';
  if (typeof text !== 'string' || text.length > maximumJwkCharacters) {
    throw refusal('DOCUMENT_INVALID', `The JWK is not text of at most ${maximumJwkCharacters} characters.`, remedy);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw refusal('DOCUMENT_INVALID', 'The JWK is not JSON.', remedy, cause);
  }
  const parsed = jwkSchema.safeParse(value);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw refusal('DOCUMENT_INVALID', `The JWK is not an Ed25519 public key: ${describeIssue(issue)}.`, remedy);
  }
  // No value of the schema contains whitespace, so this finds members given twice or written in another way.
  if (JSON.stringify(value) !== text.replaceAll(/[ \t\r\n]/g, '')) {
    throw refusal('DOCUMENT_INVALID', 'The JWK has a member twice or an escaped character.', remedy);
  }
  return publicKeyOf(parsed.data);
}

/**
 * The id of a public key: its RFC 7638 thumbprint with SHA-256, 43 characters of base64url.
 * Throws DOCUMENT_INVALID unless the key has 32 bytes.
 */
export function keyId(publicKey: Uint8Array): string {
  const { crv, kty, x } = jwkOf(publicKey);
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
}

/** The key as node:crypto takes it. The bytes must be 32. */
export function publicKeyObject(publicKey: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.concat([spkiPrefix, publicKey]), format: 'der', type: 'spki' });
}

/** One line on what a schema found: `cnf.jwk.x: must be ...`. */
export function describeIssue(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return 'invalid';
  return issue.path.length === 0 ? issue.message : `${issue.path.join('.')}: ${issue.message}`;
}
