import { expect, test } from 'vitest';
import { signHostRenewal, signingKeyFromSeed, verifyHostRenewal } from './index.ts';

const hostKey = signingKeyFromSeed(new Uint8Array(32).fill(1));
const renewal = { hostCertificate: 'a.b.c', requestId: new Uint8Array(16).fill(7), requestedAtMs: 1_795_521_600_000 };
const signature = signHostRenewal(renewal, hostKey);

test('a renewal is signed by its host', () => {
  expect(verifyHostRenewal(renewal, signature, hostKey.publicKey)).toBe(true);
});

test('a renewal that was changed in any field is not', () => {
  const changes = [
    { ...renewal, hostCertificate: 'a.b.d' },
    { ...renewal, requestId: new Uint8Array(17).fill(7) },
    { ...renewal, requestedAtMs: renewal.requestedAtMs + 1 },
  ];
  for (const changed of changes) expect(verifyHostRenewal(changed, signature, hostKey.publicKey)).toBe(false);
});

test('neither is one by another key, with a bit flipped or another length', () => {
  expect(verifyHostRenewal(renewal, signature, signingKeyFromSeed(new Uint8Array(32).fill(2)).publicKey)).toBe(false);
  for (let bit = 0; bit < 512; bit += 1) {
    const flipped = Uint8Array.from(signature);
    flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    expect(verifyHostRenewal(renewal, flipped, hostKey.publicKey)).toBe(false);
  }
  expect(verifyHostRenewal(renewal, signature.subarray(1), hostKey.publicKey)).toBe(false);
  // 32 bytes that are no point of the curve.
  expect(verifyHostRenewal(renewal, signature, new Uint8Array(32).fill(255))).toBe(false);
});
