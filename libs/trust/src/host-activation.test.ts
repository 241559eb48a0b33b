import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  certificate,
  certificateOptions,
  dayMs,
  expectRefusal,
  host,
  noonMs,
  stranger,
  trusted,
  vendor,
} from '../test/fixtures.ts';
import {
  type ActivatedHost,
  decodeActivationConfirmation,
  decodeActivationRequest,
  encodeActivationConfirmation,
  encodeActivationRequest,
} from './host-activation.ts';
import { issueHostCertificate } from './host-certificate.ts';
import { makeProductKey, parseProductKey } from './product-key.ts';
import { decodeTextBlock, encodeTextBlock } from './text-block.ts';
import { vendorKeys } from './vendor-keys.ts';

const request = {
  productKey: parseProductKey(makeProductKey('KMS', new Uint8Array(14).fill(7))),
  hostId: certificateOptions.hostId,
  hostPublicKey: host.publicKey,
  hostPlatform: 'server-2008-datacenter',
  requestedAtMs: noonMs,
};

const activated: ActivatedHost = {
  hostId: certificateOptions.hostId,
  hostPublicKey: host.publicKey,
  vendorKeys: trusted,
  editionsOf: (application, group) =>
    application === 'windows' && group === 'server-group-c' ? certificateOptions.editions : undefined,
};

describe('an activation request as a text block', () => {
  test('says everything that a vendor needs, in nine lines', () => {
    const block = encodeActivationRequest(request);
    expect(decodeActivationRequest(block)).toEqual({ ...request, hostPublicKey: Uint8Array.from(host.publicKey) });
    expect(block.trim().split('\n')).toHaveLength(9);
  });

  test('with another version, too little or too much in it is refused', () => {
    const title = 'MUSTER ACTIVATION REQUEST';
    const bytes = decodeTextBlock(title, encodeActivationRequest(request));
    const refused = (changed: Uint8Array, message: string) =>
      expect(() => decodeActivationRequest(encodeTextBlock(title, changed))).toThrow(
        expect.objectContaining({ code: 'DOCUMENT_INVALID', message: expect.stringContaining(message) }),
      );
    refused(bytes.with(0, 2), 'it is of version 2, and this release reads version 1');
    for (let length = 1; length < bytes.length; length += 1) refused(bytes.subarray(0, length), 'it is too short');
    refused(Buffer.concat([bytes, Buffer.of(0)]), 'there is more in it than belongs there');
    refused(new Uint8Array(), 'it is too short');
  });

  test('with a product key that is none is refused as one', () => {
    const title = 'MUSTER ACTIVATION REQUEST';
    const bytes = decodeTextBlock(title, encodeActivationRequest(request));
    const wrong = bytes.with(5, bytes[5] === 48 ? 49 : 48);
    expect(() => decodeActivationRequest(encodeTextBlock(title, wrong))).toThrow(
      expect.objectContaining({ code: 'KEY_INVALID' }),
    );
  });

  test('whatever it holds, the answer is a request or an error with a code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        try {
          decodeActivationRequest(encodeTextBlock('MUSTER ACTIVATION REQUEST', bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^(DOCUMENT|KEY)_INVALID$/) });
        }
      }),
    );
  });
});

describe('a confirmation as a text block', () => {
  test('becomes the very certificate that the vendor signed', async () => {
    const block = encodeActivationConfirmation(certificate);
    expect(await decodeActivationConfirmation(block, activated)).toBe(certificate);
    expect(block.trim().split('\n').length).toBeLessThanOrEqual(12);
  });

  test('is refused by another host, for another vendor, with another catalogue', async () => {
    const block = encodeActivationConfirmation(certificate);
    const other = { ...activated, hostId: '11111111-2222-4333-8444-555555555555' };
    await expectRefusal(decodeActivationConfirmation(block, other), 'UNTRUSTED_HOST', /does not fit this host/);
    const otherKey = { ...activated, hostPublicKey: stranger.publicKey };
    await expectRefusal(decodeActivationConfirmation(block, otherKey), 'UNTRUSTED_HOST', /does not fit this host/);
    const otherVendor = { ...activated, vendorKeys: vendorKeys(stranger.publicKey) };
    await expectRefusal(decodeActivationConfirmation(block, otherVendor), 'UNTRUSTED_HOST', /is not trusted here/);
    const fewer = { ...activated, editionsOf: () => ['vista-business'] };
    await expectRefusal(decodeActivationConfirmation(block, fewer), 'UNTRUSTED_HOST', /for another catalogue/);
    const unknown = { ...activated, editionsOf: () => undefined };
    await expectRefusal(decodeActivationConfirmation(block, unknown), 'DOCUMENT_INVALID', /has no product group/);
  });

  test('is refused with every bit of its content flipped', async () => {
    const title = 'MUSTER ACTIVATION CONFIRMATION';
    const bytes = decodeTextBlock(title, encodeActivationConfirmation(certificate));
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const changed = Uint8Array.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await expect(decodeActivationConfirmation(encodeTextBlock(title, changed), activated)).rejects.toMatchObject({
        code: expect.stringMatching(/^(DOCUMENT_INVALID|UNTRUSTED_HOST)$/),
      });
    }
  });

  test('works with several trusted vendors', async () => {
    const both = { ...activated, vendorKeys: vendorKeys(stranger.publicKey, vendor.publicKey) };
    const later = await issueHostCertificate({ ...certificateOptions, expiresAtMs: noonMs + 30 * dayMs });
    expect(await decodeActivationConfirmation(encodeActivationConfirmation(later), both)).toBe(later);
  });
});
