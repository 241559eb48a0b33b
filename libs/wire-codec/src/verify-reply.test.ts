import { MusterError } from '@muster/product-groups';
import { type BatchProof, issueGatewayCredential, issueHostCertificate, signBatch, vendorKeys } from '@muster/trust';
import { describe, expect, test } from 'vitest';
import {
  certificateOptions,
  credentialOptions,
  dayMs,
  flipBit,
  flipTextBit,
  gateway,
  gatewayCredential,
  granted,
  host,
  hostCertificate,
  hourMs,
  minuteMs,
  noonMs,
  otherGateway,
  otherHost,
  otherVendor,
  randomFrom,
  refused,
  replyWith,
  request,
  trusted,
  vendor,
  verifying,
} from '../testing/fixtures.ts';
import {
  type ActivationReply,
  type ActivationResult,
  createChainMemory,
  defaultClockToleranceMs,
  encodeActivationReply,
  encodeActivationResult,
  parseActivationReply,
  signResults,
  type VerifyActivationReplyOptions,
  verifyActivationReply,
} from './index.ts';

/** The refusal's message; the empty text when the reply is believed. Anything but UNTRUSTED_HOST is thrown on. */
async function broken(reply: ActivationReply, change: Partial<VerifyActivationReplyOptions> = {}): Promise<string> {
  try {
    await verifyActivationReply(verifying(reply, change));
    return '';
  } catch (error) {
    if (error instanceof MusterError && error.code === 'UNTRUSTED_HOST' && error.remedy !== '') return error.message;
    throw error;
  }
}

const brokenResult = (change: Partial<ActivationResult>) => broken(replyWith({ ...granted, ...change }));
const first = replyWith(granted);

describe('a reply that proves itself', () => {
  test('gives a client everything it stores', async () => {
    expect(await verifyActivationReply(verifying(first))).toEqual({
      ...granted,
      vendor: 'Example Vendor',
      vendorKeyId: [...trusted.keys()][0],
      productGroup: 'server-group-c',
      gatewayId: credentialOptions.gatewayId,
      certificateExpiresAtMs: certificateOptions.expiresAtMs,
    });
  });

  test('may be a refusal', async () => {
    expect(await verifyActivationReply(verifying(replyWith(refused)))).toMatchObject(refused);
  });

  test('may come from any place in a batch of 256', async () => {
    const results = Array.from({ length: 256 }, (_, index) => ({ ...granted, nonce: new Uint8Array(32).fill(index) }));
    const signed = signResults(results, gateway);
    for (const index of [0, 1, 127, 128, 254, 255]) {
      const reply = { ...first, ...signed[index] };
      const asked = { ...request, nonce: new Uint8Array(32).fill(index) };
      expect(await broken(reply, { request: asked })).toBe('');
      expect(await broken(reply, { request: { ...asked, nonce: new Uint8Array(32).fill(index ^ 1) } })).toMatch(
        /nonce/,
      );
    }
  });

  test('is believed for a CMID in any case, and by any of several vendor keys', async () => {
    expect(await broken(first, { request: { ...request, cmid: request.cmid.toUpperCase() } })).toBe('');
    expect(await broken(first, { vendorKeys: vendorKeys(otherVendor.publicKey, vendor.publicKey) })).toBe('');
  });
});

describe('every flipped bit is refused', { timeout: 300_000 }, () => {
  const results = [granted, { ...granted, nonce: new Uint8Array(32) }, refused];
  const second = { ...first, ...signResults(results, gateway)[0] } as ActivationReply;
  const { proof } = second;
  const bitsOf = (length: number) => Array.from({ length: length * 8 }, (_, bit) => bit);
  // The chain is verified once; only what follows it depends on body and proof.
  const memory = createChainMemory();

  test.each<[string, number, (bit: number) => ActivationReply]>([
    [
      'the signed body',
      second.signedBody.length,
      (bit) => ({ ...second, signedBody: flipBit(second.signedBody, bit) }),
    ],
    ['the signature', 64, (bit) => ({ ...second, proof: { ...proof, signature: flipBit(proof.signature, bit) } })],
    [
      'the leaf index',
      4,
      (bit) => ({ ...second, proof: { ...proof, leafIndex: (proof.leafIndex ^ (1 << bit)) >>> 0 } }),
    ],
    ...proof.path.map<[string, number, (bit: number) => ActivationReply]>((entry, index) => [
      `path entry ${index}`,
      32,
      (bit) => ({ ...second, proof: { ...proof, path: proof.path.with(index, flipBit(entry, bit)) } }),
    ]),
  ])('in %s', async (_, length, flipped) => {
    expect(await broken(second, { memory })).toBe('');
    for (const bit of bitsOf(length)) expect(await broken(flipped(bit), { memory })).toMatch(/gateway/);
  });

  test('in the gateway credential', async () => {
    for (const bit of bitsOf(gatewayCredential.length)) {
      const reply = { ...first, gatewayCredential: flipTextBit(gatewayCredential, bit) };
      if ((await broken(reply)) === '') expect.fail(`bit ${bit}`);
    }
  });

  test('in the host certificate', async () => {
    for (const bit of bitsOf(hostCertificate.length)) {
      const reply = { ...first, hostCertificate: flipTextBit(hostCertificate, bit) };
      if ((await broken(reply)) === '') expect.fail(`bit ${bit}`);
    }
  });

  test('in the encoded reply as a whole', async () => {
    const payload = encodeActivationReply(second);
    for (const bit of bitsOf(payload.length)) {
      const parsed = parseActivationReply(flipBit(payload, bit));
      if (parsed.ok && (await broken(parsed.reply)) === '') expect.fail(`bit ${bit}`);
    }
  });

  test('and so is any of 20,000 mutations of the encoded reply', async () => {
    const payload = encodeActivationReply(second);
    const random = randomFrom(7);
    for (let round = 0; round < 20_000; round += 1) {
      const changed = new Uint8Array(payload);
      for (let change = random(3); change >= 0; change -= 1) {
        const position = random(changed.length);
        changed[position] = (changed[position] ?? 0) ^ (1 + random(255));
      }
      const parsed = parseActivationReply(changed);
      // Two changes may undo each other; otherwise nothing is believed.
      if (parsed.ok && !Buffer.from(changed).equals(payload) && (await broken(parsed.reply)) === '') {
        expect.fail(`round ${round}: ${Buffer.from(changed).toString('hex')}`);
      }
    }
  });
});

describe('the chain is refused', () => {
  const otherCertificateOptions = { ...certificateOptions, hostPublicKey: otherHost.publicKey };

  test('from another vendor', async () => {
    const certificate = await issueHostCertificate({ ...certificateOptions, vendorKey: otherVendor });
    expect(await broken({ ...first, hostCertificate: certificate })).toMatch(/host certificate .* not trusted/);
    expect(await broken(first, { vendorKeys: vendorKeys(otherVendor.publicKey) })).toMatch(/host certificate/);
    expect(await broken(first, { vendorKeys: vendorKeys() })).toMatch(/host certificate/);
  });

  test('with the certificate of another host, or the credential of one', async () => {
    const certificate = await issueHostCertificate(otherCertificateOptions);
    expect(await broken({ ...first, hostCertificate: certificate })).toMatch(/gateway credential/);
    const credential = await issueGatewayCredential({ ...credentialOptions, hostKey: otherHost });
    expect(await broken({ ...first, gatewayCredential: credential })).toMatch(/gateway credential/);
    const self = await issueGatewayCredential({ ...credentialOptions, hostKey: gateway });
    expect(await broken({ ...first, gatewayCredential: self })).toMatch(/gateway credential/);
  });

  test('with a result signed by another gateway, by the host or by the vendor', async () => {
    for (const key of [otherGateway, host, vendor]) {
      expect(await broken(replyWith(granted, key))).toMatch(/result is not signed by the gateway/);
    }
  });

  test('when documents stand in for each other', async () => {
    expect(await broken({ ...first, hostCertificate: gatewayCredential })).toMatch(/host certificate/);
    expect(await broken({ ...first, gatewayCredential: hostCertificate })).toMatch(/gateway credential/);
    const input = Buffer.from(gatewayCredential.slice(0, gatewayCredential.lastIndexOf('.')));
    const signature = Buffer.from(gatewayCredential.slice(input.length + 1), 'base64url');
    const asProof: BatchProof = { signature, leafIndex: 0, path: [] };
    expect(await broken({ ...first, signedBody: input, proof: asProof })).toMatch(/not signed by the gateway/);
  });

  test('when the gateway signed something that is no result', async () => {
    for (const body of [Uint8Array.of(1), new Uint8Array(300), Buffer.from('GRANTED')]) {
      const [proof] = signBatch([body], gateway);
      expect(await broken({ ...first, signedBody: body, proof: proof as BatchProof })).toMatch(/result cannot be read/);
    }
  });

  test.each([
    ['just before the credential began', credentialOptions.issuedAtMs - 1, /credential/],
    ['when the credential was over', credentialOptions.expiresAtMs, /credential/],
    ['before the certificate began', certificateOptions.issuedAtMs - 1, /certificate/],
    ['when the certificate was over', certificateOptions.expiresAtMs, /certificate/],
  ])('for a result issued %s', async (_, issuedAtMs, message) => {
    const expiresAtMs = issuedAtMs + granted.validityMinutes * minuteMs;
    const grant = replyWith({ ...granted, issuedAtMs, expiresAtMs });
    expect(await broken(grant, { nowMs: issuedAtMs })).toMatch(message);
    expect(await broken(replyWith({ ...refused, issuedAtMs }), { nowMs: issuedAtMs })).toMatch(message);
  });

  test('at the edges of the credential it holds', async () => {
    for (const issuedAtMs of [credentialOptions.issuedAtMs, credentialOptions.expiresAtMs - 1]) {
      const expiresAtMs = issuedAtMs + granted.validityMinutes * minuteMs;
      expect(await broken(replyWith({ ...granted, issuedAtMs, expiresAtMs }), { nowMs: issuedAtMs })).toBe('');
    }
  });
});

describe('a replay is refused', () => {
  test.each([
    ['another nonce', { nonce: flipBit(request.nonce, 255) }, /nonce/],
    ['a shorter nonce', { nonce: request.nonce.subarray(1) }, /nonce/],
    ['another application', { application: 'office' }, /application/],
    ['another edition', { edition: 'vista-business' }, /edition/],
    ['another machine', { cmid: '6ba7b810-9dad-41d1-80b4-00c04fd430c9' }, /cmid/],
  ])('by the client that asked with %s', async (_, change, message) => {
    expect(await broken(first, { request: { ...request, ...change } })).toMatch(message);
    expect(await broken(replyWith(refused), { request: { ...request, ...change } })).toMatch(message);
  });
});

describe('a grant is refused', () => {
  test.each<[string, Partial<ActivationResult>, RegExp]>([
    ['below the threshold', { count: 4 }, /threshold/],
    ['with a threshold of 0', { threshold: 0 }, /threshold/],
    ['without validity', { validityMinutes: 0, expiresAtMs: noonMs }, /validity/],
    [
      'for longer than any catalogue allows',
      { validityMinutes: 1_051_201, expiresAtMs: noonMs + 1_051_201 * minuteMs },
      /730/,
    ],
    ['that expires later than its validity', { expiresAtMs: granted.expiresAtMs + 1 }, /expires/],
    ['that expires never', { expiresAtMs: 0 }, /expires/],
    ['by another host id', { hostId: '6ba7b810-9dad-41d1-80b4-00c04fd430c8' }, /another host/],
  ])('%s', async (_, change, message) => {
    expect(await brokenResult(change)).toMatch(message);
  });

  test('for an application or edition that the certificate does not cover', async () => {
    const elsewhere = { ...request, application: 'office' };
    expect(await broken(replyWith({ ...granted, application: 'office' }), { request: elsewhere })).toMatch(
      /application/,
    );
    const other = { ...request, edition: 'server-2012' };
    expect(await broken(replyWith({ ...granted, edition: 'server-2012' }), { request: other })).toMatch(/edition/);
    // A refusal may name them: that is what PRODUCT_NOT_COVERED says.
    const refusal = { ...refused, code: 'PRODUCT_NOT_COVERED', edition: 'server-2012', threshold: 0 } as const;
    expect(await broken(replyWith(refusal), { request: other })).toBe('');
  });

  test('when it was issued too long before or after now', async () => {
    const tolerance = defaultClockToleranceMs;
    expect(tolerance).toBe(4 * hourMs + 5 * minuteMs);
    const offsets = [-tolerance - 1, -tolerance, -tolerance + 1, tolerance - 1, tolerance, tolerance + 1];
    const messages = await Promise.all(offsets.map((offset) => broken(first, { nowMs: noonMs + offset })));
    expect(messages.map((message) => message === '')).toEqual([false, true, true, true, true, false]);
    expect(messages[0]).toMatch(/clock/);
    expect(await broken(first, { nowMs: Number.NaN })).toMatch(/clock/);
    expect(await broken(first, { nowMs: noonMs + 1001, clockToleranceMs: 1000 })).toMatch(/clock/);
  });

  test('when a thief of an old gateway key backdates it', async () => {
    const later = noonMs + 3 * dayMs;
    expect(await broken(first, { nowMs: later })).toMatch(/clock/);
    const fresh = { ...granted, issuedAtMs: later, expiresAtMs: later + granted.validityMinutes * minuteMs };
    expect(await broken(replyWith(fresh), { nowMs: later })).toMatch(/credential/);
  });
});

describe('a refusal', () => {
  test('is believed whatever the clock of the client says', async () => {
    for (const nowMs of [0, noonMs - 900 * dayMs, noonMs + 900 * dayMs]) {
      expect(await broken(replyWith({ ...refused, code: 'CLOCK_SKEW' }), { nowMs })).toBe('');
    }
  });

  test('that carries a validity or an end is none', async () => {
    expect(await broken(replyWith({ ...refused, validityMinutes: 1 }))).toMatch(/refuses/);
    expect(await broken(replyWith({ ...refused, expiresAtMs: noonMs + dayMs }))).toMatch(/refuses/);
  });
});

describe('the memory of a connection', () => {
  const { gatewayCredential: _, hostCertificate: __, ...bare } = first;

  test('supplies what later replies leave out', async () => {
    const memory = createChainMemory();
    expect(await broken(first, { memory })).toBe('');
    expect(await broken(bare, { memory })).toBe('');
  });

  test('is needed for that', async () => {
    expect(await broken(bare)).toMatch(/no host certificate/);
    expect(await broken({ ...bare, hostCertificate })).toMatch(/no gateway credential/);
    expect(await broken({ ...bare, gatewayCredential })).toMatch(/no host certificate/);
  });

  test('takes over a new credential, and the old gateway key no longer counts', async () => {
    const memory = createChainMemory();
    const next = await issueGatewayCredential({ ...credentialOptions, gatewayPublicKey: otherGateway.publicKey });
    expect(await broken(first, { memory })).toBe('');
    expect(
      await broken({ ...bare, ...signResults([granted], otherGateway)[0], gatewayCredential: next }, { memory }),
    ).toBe('');
    expect(await broken({ ...bare, ...signResults([granted], otherGateway)[0] }, { memory })).toBe('');
    expect(await broken(bare, { memory })).toMatch(/not signed by the gateway/);
  });

  test('checks the credential again under a new certificate', async () => {
    const memory = createChainMemory();
    const certificate = await issueHostCertificate({ ...certificateOptions, hostPublicKey: otherHost.publicKey });
    expect(await broken(first, { memory })).toBe('');
    expect(await broken({ ...bare, hostCertificate: certificate }, { memory })).toMatch(/gateway credential/);
    // What was sent last stays in force, however bad it is.
    expect(await broken(bare, { memory })).toMatch(/gateway credential/);
    expect(await broken({ ...bare, hostCertificate }, { memory })).toBe('');
  });

  test('keeps the order of arrival when replies are verified at the same time', async () => {
    const memory = createChainMemory();
    const outcomes = [broken(first, { memory }), broken(bare, { memory }), broken(bare, { memory })];
    expect(await Promise.all(outcomes)).toEqual(['', '', '']);
  });

  test('does not outlive the trust in a vendor', async () => {
    const memory = createChainMemory();
    expect(await broken(first, { memory })).toBe('');
    expect(await broken(bare, { memory, vendorKeys: vendorKeys(otherVendor.publicKey) })).toMatch(/not trusted/);
  });

  test('never lets an expired credential pass', async () => {
    const memory = createChainMemory();
    expect(await broken(first, { memory })).toBe('');
    const issuedAtMs = credentialOptions.expiresAtMs;
    const late = { ...granted, issuedAtMs, expiresAtMs: issuedAtMs + granted.validityMinutes * minuteMs };
    expect(await broken({ ...bare, ...signResults([late], gateway)[0] }, { memory, nowMs: issuedAtMs })).toMatch(
      /credential/,
    );
  });
});

test('the signed body is exactly the encoded result', () => {
  const [signed] = signResults([granted], gateway);
  expect(signed?.signedBody).toEqual(encodeActivationResult(granted));
  expect(() => signResults([], gateway)).toThrow(RangeError);
});
