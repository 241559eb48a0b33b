import { createCipheriv, createDecipheriv } from 'node:crypto';
import { refusal } from './refusals.ts';
import { seedBytes } from './signing-key.ts';

// version (1) | iv (12) | ciphertext (as long as what is sealed) | tag (16)
const version = 1;
const ivBytes = 12;
const tagBytes = 16;
const keyEncryptionKeyBytes = 32;
const overheadBytes = 1 + ivBytes + tagBytes;
const sealedSeedBytes = overheadBytes + seedBytes;

/** Longest secret that `sealSecret` takes, in bytes. */
const longestSecretBytes = 1024;

/**
 * Encrypts the seed of a signing key for storage: AES-256-GCM, 61 bytes out (DESIGN 3, encrypted at rest).
 * `purpose` names what the key is for and is authenticated with it, so that one stored key cannot stand in for another.
 * The iv must never be used twice with one key encryption key: take 12 random bytes.
 * Throws DOCUMENT_INVALID for a seed or key that is not 32 bytes or an iv that is not 12.
 *
 * @example
 * const sealed = sealPrivateKey(seed, keyEncryptionKey, randomBytes(12), `host/${hostId}`);
 */
export function sealPrivateKey(
  seed: Uint8Array,
  keyEncryptionKey: Uint8Array,
  iv: Uint8Array,
  purpose: string,
): Uint8Array {
  requireLength('seed', seed, seedBytes);
  return seal(seed, keyEncryptionKey, iv, `muster/sealed-key/v${version}\0${purpose}`);
}

/**
 * Decrypts what `sealPrivateKey` made and returns the seed, 32 bytes.
 * Throws DOCUMENT_INVALID for another key, another purpose or changed bytes, without saying which.
 */
export function openPrivateKey(sealed: Uint8Array, keyEncryptionKey: Uint8Array, purpose: string): Uint8Array {
  requireLength('sealed private key', sealed, sealedSeedBytes);
  return open('private key', sealed, keyEncryptionKey, `muster/sealed-key/v${version}\0${purpose}`);
}

/**
 * Encrypts a short secret, such as a product key, for storage: the form and the rules of `sealPrivateKey`, 29 bytes
 * longer than the secret. What was sealed by the one is not opened by the other.
 * Throws DOCUMENT_INVALID for a secret of more than 1,024 bytes, a key that is not 32 bytes or an iv that is not 12.
 */
export function sealSecret(
  secret: Uint8Array,
  keyEncryptionKey: Uint8Array,
  iv: Uint8Array,
  purpose: string,
): Uint8Array {
  if (secret.length > longestSecretBytes) throw wrongLength('secret', secret, `at most ${longestSecretBytes}`);
  return seal(secret, keyEncryptionKey, iv, `muster/sealed-secret/v${version}\0${purpose}`);
}

/**
 * Decrypts what `sealSecret` made.
 * Throws DOCUMENT_INVALID for another key, another purpose or changed bytes, without saying which.
 */
export function openSecret(sealed: Uint8Array, keyEncryptionKey: Uint8Array, purpose: string): Uint8Array {
  if (sealed.length < overheadBytes) throw wrongLength('sealed secret', sealed, `at least ${overheadBytes}`);
  return open('secret', sealed, keyEncryptionKey, `muster/sealed-secret/v${version}\0${purpose}`);
}

function seal(secret: Uint8Array, keyEncryptionKey: Uint8Array, iv: Uint8Array, context: string): Uint8Array {
  requireLength('key encryption key', keyEncryptionKey, keyEncryptionKeyBytes);
  requireLength('iv', iv, ivBytes);
  const cipher = createCipheriv('aes-256-gcm', keyEncryptionKey, iv, { authTagLength: tagBytes });
  cipher.setAAD(new TextEncoder().encode(context));
  const ciphertext = Buffer.concat([cipher.update(secret), cipher.final()]);
  return new Uint8Array(Buffer.concat([Uint8Array.of(version), iv, ciphertext, cipher.getAuthTag()]));
}

function open(name: string, sealed: Uint8Array, keyEncryptionKey: Uint8Array, context: string): Uint8Array {
  requireLength('key encryption key', keyEncryptionKey, keyEncryptionKeyBytes);
  if (sealed[0] !== version) {
    throw refusal(
      'DOCUMENT_INVALID',
      `The sealed ${name} has version ${sealed[0]}; this software reads version ${version}.`,
      'Open it with the version of Muster that sealed it.',
    );
  }
  const iv = sealed.subarray(1, 1 + ivBytes);
  const decipher = createDecipheriv('aes-256-gcm', keyEncryptionKey, iv, { authTagLength: tagBytes });
  decipher.setAAD(new TextEncoder().encode(context));
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  try {
    return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(1 + ivBytes, -tagBytes)), decipher.final()]));
  } catch (cause) {
    throw refusal(
      'DOCUMENT_INVALID',
      `The sealed ${name} does not open: the key encryption key is another one, or the bytes were changed.`,
      'Give the key encryption key that it was sealed with, or restore it from a backup.',
      cause,
    );
  }
}

function requireLength(name: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw wrongLength(name, bytes, String(length));
}

function wrongLength(name: string, bytes: Uint8Array, wanted: string): Error {
  return refusal(
    'DOCUMENT_INVALID',
    `The ${name} has ${bytes.length} bytes, not ${wanted}.`,
    `Give a ${name} of ${wanted} bytes.`,
  );
}
