import { createCipheriv, createDecipheriv } from 'node:crypto';
import { refusal } from './refusals.ts';
import { seedBytes } from './signing-key.ts';

// version (1) | iv (12) | ciphertext (32) | tag (16)
const version = 1;
const ivBytes = 12;
const tagBytes = 16;
const keyEncryptionKeyBytes = 32;
const sealedBytes = 1 + ivBytes + seedBytes + tagBytes;

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
  requireLength('key encryption key', keyEncryptionKey, keyEncryptionKeyBytes);
  requireLength('iv', iv, ivBytes);
  const cipher = createCipheriv('aes-256-gcm', keyEncryptionKey, iv, { authTagLength: tagBytes });
  cipher.setAAD(additionalData(purpose));
  const ciphertext = Buffer.concat([cipher.update(seed), cipher.final()]);
  return new Uint8Array(Buffer.concat([Uint8Array.of(version), iv, ciphertext, cipher.getAuthTag()]));
}

/**
 * Decrypts what `sealPrivateKey` made and returns the seed, 32 bytes.
 * Throws DOCUMENT_INVALID for another key, another purpose or changed bytes, without saying which.
 */
export function openPrivateKey(sealed: Uint8Array, keyEncryptionKey: Uint8Array, purpose: string): Uint8Array {
  requireLength('key encryption key', keyEncryptionKey, keyEncryptionKeyBytes);
  requireLength('sealed private key', sealed, sealedBytes);
  if (sealed[0] !== version) {
    throw refusal(
      'DOCUMENT_INVALID',
      `The sealed private key has version ${sealed[0]}; this software reads version ${version}.`,
      'Open it with the version of Muster that sealed it.',
    );
  }
  const iv = sealed.subarray(1, 1 + ivBytes);
  const decipher = createDecipheriv('aes-256-gcm', keyEncryptionKey, iv, { authTagLength: tagBytes });
  decipher.setAAD(additionalData(purpose));
  decipher.setAuthTag(sealed.subarray(-tagBytes));
  try {
    return new Uint8Array(Buffer.concat([decipher.update(sealed.subarray(1 + ivBytes, -tagBytes)), decipher.final()]));
  } catch (cause) {
    throw refusal(
      'DOCUMENT_INVALID',
      'The sealed private key does not open: the key encryption key is another one, or the bytes were changed.',
      'Give the key encryption key that it was sealed with, or restore it from a backup.',
      cause,
    );
  }
}

function additionalData(purpose: string): Uint8Array {
  return new TextEncoder().encode(`muster/sealed-key/v${version}\0${purpose}`);
}

function requireLength(name: string, bytes: Uint8Array, length: number): void {
  if (bytes.length === length) return;
  throw refusal(
    'DOCUMENT_INVALID',
    `The ${name} has ${length} bytes, not ${bytes.length}.`,
    `Give a ${name} of ${length} bytes.`,
  );
}
