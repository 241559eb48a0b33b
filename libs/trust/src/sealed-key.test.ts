import { MusterError } from '@muster/product-groups';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openPrivateKey, sealPrivateKey } from './index.ts';

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
