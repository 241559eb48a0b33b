import { MusterError } from '@muster/product-groups';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stranger, vendor } from '../test/fixtures.ts';
import { keyId, publicKeyFromJwk, publicKeyToJwk, signingKeyFromSeed, vendorKeys } from './index.ts';

// RFC 8037, appendix A.1 to A.3
const seed = Buffer.from('nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A', 'base64url');
const x = '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo';

describe('public keys', () => {
  test('the key of RFC 8037 has the public key and thumbprint printed there', () => {
    const { publicKey } = signingKeyFromSeed(seed);
    expect(publicKeyToJwk(publicKey)).toBe(`{"kty":"OKP","crv":"Ed25519","x":"${x}"}`);
    expect(keyId(publicKey)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  });

  test('any public key survives its JWK', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        expect(Buffer.from(publicKeyFromJwk(publicKeyToJwk(bytes))).equals(bytes)).toBe(true);
      }),
    );
  });

  test('a JWK may be spread over lines', () => {
    const text = `{\n  "crv": "Ed25519",\r\n\t"kty": "OKP",\n  "x": "${x}"\n}\n`;
    expect(publicKeyToJwk(publicKeyFromJwk(text))).toContain(x);
  });

  test.each([
    ['no JSON', 'MCowBQYDK2VwAyEA'],
    ['null', 'null'],
    ['a list', '[]'],
    ['a private key', `{"kty":"OKP","crv":"Ed25519","x":"${x}","d":"${x}"}`],
    ['another curve', `{"kty":"OKP","crv":"X25519","x":"${x}"}`],
    ['another type', `{"kty":"EC","crv":"Ed25519","x":"${x}"}`],
    ['a member twice', `{"kty":"OKP","crv":"Ed25519","x":"${x}","x":"${x}"}`],
    ['an escaped member', `{"kty":"OKP","crv":"Ed25519","\\u0078":"${x}"}`],
    ['a padded key', `{"kty":"OKP","crv":"Ed25519","x":"${x}="}`],
    ['a key with unused bits set', `{"kty":"OKP","crv":"Ed25519","x":"${x.slice(0, -1)}p"}`],
    ['31 bytes', `{"kty":"OKP","crv":"Ed25519","x":"${x.slice(0, 42)}"}`],
    ['a megabyte', ' '.repeat(1 << 20)],
    ['deep nesting', '['.repeat(500)],
  ])('a JWK that is %s is refused', (_, text) => {
    expect(() => publicKeyFromJwk(text)).toThrow(MusterError);
    expect(() => publicKeyFromJwk(text)).toThrow(/JWK/);
  });

  test('keys and seeds of a wrong length are refused', () => {
    for (const length of [0, 31, 33, 64]) {
      expect(() => signingKeyFromSeed(new Uint8Array(length))).toThrow(MusterError);
      expect(() => publicKeyToJwk(new Uint8Array(length))).toThrow(MusterError);
      expect(() => keyId(new Uint8Array(length))).toThrow(MusterError);
      expect(() => vendorKeys(new Uint8Array(length))).toThrow(MusterError);
    }
  });

  test('a set of vendor keys finds each by its id', () => {
    const keys = vendorKeys(vendor.publicKey, stranger.publicKey);
    expect([...keys.keys()]).toEqual([keyId(vendor.publicKey), keyId(stranger.publicKey)]);
    expect(keys.get(keyId(stranger.publicKey))).toBe(stranger.publicKey);
  });
});
