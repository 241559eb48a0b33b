import { MusterError } from '@muster/product-groups';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openPrivateKey, openSecret, sealPrivateKey, sealSecret } from './index.ts';

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const seed = new Uint8Array(32).fill(7);
const key = new Uint8Array(32).fill(8);
const sealed = sealPrivateKey(seed, key, new Uint8Array(12).fill(9), 'host/1');

describe('sealed private keys', () => {
  test('any seed comes back under the same key and purpose', () => {
    fc.assert(
      fc.property(bytes(32), bytes(32), bytes(12), fc.string(), (anySeed, anyKey, iv, purpose) => {
        const box = sealPrivateKey(anySeed, anyKey, iv, purpose);
        expect(box.length).toBe(61);
        expect([...openPrivateKey(box, anyKey, purpose)]).toEqual([...anySeed]);
      }),
    );
  });

  test('every flipped bit is refused', () => {
    for (let bit = 0; bit < sealed.length * 8; bit += 1) {
      const changed = sealed.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => openPrivateKey(changed, key, 'host/1')).toThrow(MusterError);
    }
  });

  test('another key, purpose or length is refused', () => {
    expect(() => openPrivateKey(sealed, new Uint8Array(32), 'host/1')).toThrow(/does not open/);
    expect(() => openPrivateKey(sealed, key, 'host/2')).toThrow(/does not open/);
    expect(() => openPrivateKey(sealed.subarray(1), key, 'host/1')).toThrow(MusterError);
    expect(() => openPrivateKey(sealed, key.subarray(1), 'host/1')).toThrow(MusterError);
    expect(() => sealPrivateKey(seed, key, new Uint8Array(16), 'host/1')).toThrow(MusterError);
    expect(() => sealPrivateKey(seed.subarray(1), key, new Uint8Array(12), 'host/1')).toThrow(MusterError);
  });
});

describe('sealed secrets', () => {
  test('any short secret comes back under the same key and purpose, and every flipped bit is refused', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 100 }),
        bytes(32),
        bytes(12),
        fc.string(),
        (secret, anyKey, iv, purpose) => {
          const box = sealSecret(secret, anyKey, iv, purpose);
          expect(box.length).toBe(secret.length + 29);
          expect([...openSecret(box, anyKey, purpose)]).toEqual([...secret]);
          expect(() => openSecret(box, anyKey, `${purpose}.`)).toThrow(/does not open/);
        },
      ),
    );
    const box = sealSecret(seed, key, new Uint8Array(12), 'product key 1');
    for (let bit = 0; bit < box.length * 8; bit += 1) {
      const changed = box.slice();
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      expect(() => openSecret(changed, key, 'product key 1')).toThrow(MusterError);
    }
  });

  test('are not opened as a private key, nor the other way round', () => {
    const secret = sealSecret(seed, key, new Uint8Array(12).fill(9), 'host/1');
    expect(() => openPrivateKey(secret, key, 'host/1')).toThrow(/does not open/);
    expect(() => openSecret(sealed, key, 'host/1')).toThrow(/does not open/);
  });

  test('another length of the secret, the box, the key or the iv is refused', () => {
    expect(() => sealSecret(new Uint8Array(1_025), key, new Uint8Array(12), '')).toThrow(/1025 bytes/);
    expect(() => sealSecret(seed, key.subarray(1), new Uint8Array(12), '')).toThrow(MusterError);
    expect(() => sealSecret(seed, key, new Uint8Array(16), '')).toThrow(MusterError);
    expect(() => openSecret(new Uint8Array(28), key, '')).toThrow(MusterError);
  });
});
