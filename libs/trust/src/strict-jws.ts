import { CompactSign, compactVerify } from 'jose';
import { z } from 'zod';
import { decodeBase64url, encodeBase64url } from './base64url.ts';
import { describeIssue, publicKeyObject } from './public-key.ts';
import { type RefusalCode, refusal } from './refusals.ts';
import type { SigningKey } from './signing-key.ts';

/** What one kind of signed document must look like. */
export interface DocumentKind {
  /** For messages: `The ${name} is ...`. */
  readonly name: string;
  readonly typ: string;
  /** Whether the header names the signer's key. */
  readonly namesKey: boolean;
  /** Of the whole compact JWS; checked before anything is decoded. */
  readonly maximumCharacters: number;
  /** What a refusal is called, and what to do about it. */
  readonly code: RefusalCode;
  readonly remedy: string;
}

/** A document whose signature holds. */
export interface VerifiedDocument {
  readonly payload: Uint8Array;
  /** The header's `kid`; empty where the kind names no key. */
  readonly signerKeyId: string;
}

// A header of ours has 105 characters at most; nothing longer is worth parsing.
const maximumHeaderBytes = 256;

const keyIdSchema = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'must be a key id of 43 characters');
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Signs a payload as a compact JWS (RFC 7515) with the header `{alg, typ, kid?}`, in that order. */
export function signDocument(
  kind: DocumentKind,
  payload: Uint8Array,
  key: SigningKey,
  signerKeyId?: string,
): Promise<string> {
  return new CompactSign(payload).setProtectedHeader(headerOf(kind, signerKeyId)).sign(key.privateKey);
}

/** The document that `signDocument` makes, out of a signature that was made elsewhere. It is not verified by this. */
export function assembleDocument(
  kind: DocumentKind,
  payload: Uint8Array,
  signature: Uint8Array,
  signerKeyId?: string,
): string {
  const header = new TextEncoder().encode(JSON.stringify(headerOf(kind, signerKeyId)));
  return [header, payload, signature].map(encodeBase64url).join('.');
}

/** The parts of a document in the form of its kind, whoever signed it: nothing is verified. */
export function takeApart(
  kind: DocumentKind,
  jws: string,
): { readonly payload: Uint8Array; readonly signature: Uint8Array; readonly signerKeyId: string } {
  const { header, payload, signature } = split(kind, jws);
  return { payload, signature, signerKeyId: readHeader(kind, header) };
}

function headerOf(kind: DocumentKind, signerKeyId: string | undefined) {
  return { alg: 'EdDSA', typ: kind.typ, ...(signerKeyId === undefined ? {} : { kid: signerKeyId }) };
}

/**
 * Verifies a compact JWS more strictly than RFC 7515 asks: length first; three parts in canonical base64url; the
 * header exactly the members of the kind, Ed25519 only; then the signature by the key that `findKey` knows.
 * Rejects with the kind's refusal, and with nothing else.
 */
export async function verifyDocument(
  kind: DocumentKind,
  jws: string,
  findKey: (signerKeyId: string) => Uint8Array | undefined,
): Promise<VerifiedDocument> {
  const { header, payload } = split(kind, jws);
  const signerKeyId = readHeader(kind, header);
  const publicKey = findKey(signerKeyId);
  if (publicKey === undefined) throw refuse(kind, `is signed by a key that is not trusted (${signerKeyId})`);
  try {
    await compactVerify(jws, publicKeyObject(publicKey), { algorithms: ['EdDSA'] });
  } catch (cause) {
    throw refuse(kind, 'does not match its signature', cause);
  }
  return { payload, signerKeyId };
}

function split(kind: DocumentKind, jws: string) {
  if (typeof jws !== 'string') throw refuse(kind, 'is not text');
  if (jws.length > kind.maximumCharacters) throw refuse(kind, `is longer than ${kind.maximumCharacters} characters`);
  const parts = jws.split('.', 4);
  const [header, payload, signature] = parts.map(decodeBase64url);
  if (parts.length !== 3) throw refuse(kind, 'is not a compact JWS of three parts');
  if (header === undefined || payload === undefined || signature === undefined) {
    throw refuse(kind, 'is not written in canonical base64url');
  }
  if (signature.length !== 64) throw refuse(kind, 'has no Ed25519 signature of 64 bytes');
  return { header, payload, signature };
}

/**
 * Reads JSON bytes by a schema. The text must be what `JSON.stringify` makes of its own value: so it has no member
 * twice, no whitespace and no second spelling of a number or character, and every reader sees the same value.
 */
export function readJson<Value>(
  kind: DocumentKind,
  part: 'header' | 'claims',
  bytes: Uint8Array,
  schema: z.ZodType<Value>,
): Value {
  let value: unknown;
  let canonical: boolean;
  try {
    const text = utf8.decode(bytes);
    value = JSON.parse(text);
    // Very deep nesting overflows the stack here, which is a refusal like any other.
    canonical = JSON.stringify(value) === text;
  } catch (cause) {
    throw refuse(kind, `has ${part} that cannot be read as JSON`, cause);
  }
  if (!canonical) throw refuse(kind, `has ${part} in ambiguous JSON (a member twice, whitespace or needless escapes)`);
  const parsed = schema.safeParse(value);
  if (!parsed.success) throw refuse(kind, `has wrong ${part}: ${describeIssue(parsed.error.issues[0])}`);
  return parsed.data;
}

/** The refusal of a document of this kind: `The ${name} ${problem}.` */
export function refuse(kind: DocumentKind, problem: string, cause?: unknown): Error {
  return refusal(kind.code, `The ${kind.name} ${problem}.`, kind.remedy, cause);
}

function readHeader(kind: DocumentKind, bytes: Uint8Array): string {
  if (bytes.length > maximumHeaderBytes) throw refuse(kind, 'has a header that is too long');
  const alg = z.literal('EdDSA');
  const typ = z.literal(kind.typ);
  if (!kind.namesKey) {
    readJson(kind, 'header', bytes, z.strictObject({ alg, typ }));
    return '';
  }
  return readJson(kind, 'header', bytes, z.strictObject({ alg, typ, kid: keyIdSchema })).kid;
}
