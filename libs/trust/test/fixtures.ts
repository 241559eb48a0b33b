import { sign } from 'node:crypto';
import { MusterError } from '@muster/product-groups';
import { expect } from 'vitest';
import {
  issueGatewayCredential,
  issueHostCertificate,
  type SigningKey,
  signCatalogue,
  signingKeyFromSeed,
  vendorKeys,
} from '../src/index.ts';

/** A key that is the same in every run. */
export function keyOf(number: number): SigningKey {
  return signingKeyFromSeed(new Uint8Array(32).fill(number));
}

export const vendor = keyOf(1);
export const host = keyOf(2);
export const gateway = keyOf(3);
export const stranger = keyOf(9);
export const trusted = vendorKeys(vendor.publicKey);

/** 2026-11-24T12:00:00Z */
export const noonMs = 1_795_521_600_000;
export const dayMs = 86_400_000;

export const certificateOptions = {
  vendor: 'Example Vendor',
  vendorKey: vendor,
  hostId: '3f2b8c1e-7a4d-4e6f-9b0a-1c2d3e4f5a6b',
  hostPublicKey: host.publicKey,
  application: 'windows',
  productGroup: 'server-group-c',
  editions: ['server-2008-datacenter', 'vista-business'],
  issuedAtMs: noonMs,
  expiresAtMs: noonMs + 365 * dayMs,
};

export const credentialOptions = {
  hostKey: host,
  gatewayId: 'gateway-7f9c',
  gatewayPublicKey: gateway.publicKey,
  issuedAtMs: noonMs,
  expiresAtMs: noonMs + dayMs,
};

export const certificate = await issueHostCertificate(certificateOptions);
export const credential = await issueGatewayCredential(credentialOptions);
export const catalogue = await signCatalogue({ text: 'catalogue: windows-2008\n', vendor });

/** A compact JWS made by hand: any header text, any payload text, a true Ed25519 signature. */
export function craft(header: string, payload: string | Uint8Array, key: SigningKey): string {
  const input = `${base64url(header)}.${base64url(payload)}`;
  return `${input}.${base64url(sign(null, Buffer.from(input), key.privateKey))}`;
}

export function base64url(value: string | Uint8Array): string {
  return Buffer.from(value as string).toString('base64url');
}

/** The three decoded parts of a compact JWS: header text, payload text, signature. */
export function partsOf(jws: string): readonly [string, string, Uint8Array] {
  const [header = '', payload = '', signature = ''] = jws.split('.').map((part) => Buffer.from(part, 'base64url'));
  return [header.toString(), payload.toString(), signature as Uint8Array];
}

/** Expects a refusal of this family and code, complete with a sentence and a remedy. */
export async function expectRefusal(attempt: Promise<unknown>, code: string, message?: RegExp): Promise<void> {
  const error = await attempt.then(
    () => new Error('it was accepted'),
    (refusal: unknown) => refusal,
  );
  expect(error).toBeInstanceOf(MusterError);
  const refusal = error as MusterError;
  expect(refusal.code).toBe(code);
  expect(refusal.message).toMatch(/^(The|An) .*\.$/s);
  expect(refusal.remedy).not.toBe('');
  if (message !== undefined) expect(refusal.message).toMatch(message);
}

/** A small generator of numbers that a seed repeats: mulberry32. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
