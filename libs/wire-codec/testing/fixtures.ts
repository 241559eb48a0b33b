import {
  issueGatewayCredential,
  issueHostCertificate,
  type SigningKey,
  signingKeyFromSeed,
  vendorKeys,
} from '@muster/trust';
import {
  type ActivationReply,
  type ActivationRequest,
  type ActivationResult,
  parseUuid,
  signResults,
  type VerifyActivationReplyOptions,
} from '../src/index.ts';

/** A key that is the same in every run: its seed is one byte, 32 times. */
export function keyOf(byte: number): SigningKey {
  return signingKeyFromSeed(new Uint8Array(32).fill(byte));
}

export const vendor = keyOf(0x01);
export const host = keyOf(0x02);
export const gateway = keyOf(0x03);
/** A vendor that nobody here trusts. */
export const otherVendor = keyOf(0x11);
/** Another host of the same vendor, and its gateway. */
export const otherHost = keyOf(0x12);
export const otherGateway = keyOf(0x13);

export const trusted = vendorKeys(vendor.publicKey);

/** 2026-11-24T12:00:00Z, in epoch milliseconds: the time at which everything here happens. */
export const noonMs = 1_795_521_600_000;
export const minuteMs = 60_000;
export const hourMs = 60 * minuteMs;
export const dayMs = 24 * hourMs;

export const hostId = '3f2b8c1e-7a4d-4e6f-9b0a-1c2d3e4f5a6b';

/** What KMS_C of the catalogue windows-2008 activates (DESIGN 2.1). */
export const kmsCEditions = [
  'vista-business',
  'vista-enterprise',
  'web-server-2008',
  'server-2008-standard',
  'server-2008-enterprise',
  'server-2008-datacenter',
  'server-2008-itanium',
];

export const certificateOptions = {
  vendor: 'Example Vendor',
  vendorKey: vendor,
  hostId,
  hostPublicKey: host.publicKey,
  application: 'windows',
  productGroup: 'server-group-c',
  editions: kmsCEditions,
  issuedAtMs: noonMs - 30 * dayMs,
  expiresAtMs: noonMs + 335 * dayMs,
};

export const credentialOptions = {
  hostKey: host,
  gatewayId: '0d9c8b7a-6f5e-4d4c-8b3a-29181f0e0d0c',
  gatewayPublicKey: gateway.publicKey,
  issuedAtMs: noonMs - 6 * hourMs,
  expiresAtMs: noonMs + 18 * hourMs,
};

export const hostCertificate = await issueHostCertificate(certificateOptions);
export const gatewayCredential = await issueGatewayCredential(credentialOptions);

export const request: ActivationRequest = {
  nonce: Uint8Array.from({ length: 32 }, (_, index) => index),
  application: 'windows',
  edition: 'server-2008-datacenter',
  cmid: '6ba7b810-9dad-41d1-80b4-00c04fd430c8',
  machineClass: 'physical',
  machineName: 'SRV-BERLIN-01',
  fingerprint: new Uint8Array(32).fill(0xf1),
  licenceStatus: 'initial-grace',
  minutesLeft: 86_400,
  clientTimeMs: noonMs - 1500,
  clientVersion: 'muster-client/0.1.0',
};

export const granted: ActivationResult = {
  code: 'GRANTED',
  nonce: request.nonce,
  application: request.application,
  edition: request.edition,
  cmid: request.cmid,
  count: 7,
  threshold: 5,
  activationIntervalMinutes: 120,
  renewalIntervalMinutes: 10_080,
  validityMinutes: 259_200,
  issuedAtMs: noonMs,
  expiresAtMs: noonMs + 259_200 * minuteMs,
  hostId,
  activationId: '0193c1d2-5a6b-7c8d-9e0f-a1b2c3d4e5f6',
  graceMinutes: 43_200,
};

export const refused: ActivationResult = {
  ...granted,
  code: 'COUNT_INSUFFICIENT',
  count: 4,
  validityMinutes: 0,
  expiresAtMs: 0,
};

/** A first reply of a connection with this result, signed by this gateway key. */
export function replyWith(result: ActivationResult, key: SigningKey = gateway): ActivationReply {
  const [signed] = signResults([result], key);
  if (signed === undefined) throw new Error('nothing was signed');
  return { ...signed, gatewayCredential, hostCertificate };
}

/** What the client of `request` verifies a reply against. */
export function verifying(reply: ActivationReply, change: Partial<VerifyActivationReplyOptions> = {}) {
  return { reply, request, vendorKeys: trusted, nowMs: noonMs + 200, ...change };
}

/** A copy with one bit changed: bit 0 is the lowest of the first byte. */
export function flipBit(bytes: Uint8Array, bit: number): Uint8Array {
  const changed = new Uint8Array(bytes);
  changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return changed;
}

/** A text with one bit of one character's code changed. */
export function flipTextBit(text: string, bit: number): string {
  const index = bit >> 3;
  return text.slice(0, index) + String.fromCharCode(text.charCodeAt(index) ^ (1 << (bit & 7))) + text.slice(index + 1);
}

export function uuidBytesOf(uuid: string): Uint8Array {
  return parseUuid(uuid) ?? new Uint8Array();
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
