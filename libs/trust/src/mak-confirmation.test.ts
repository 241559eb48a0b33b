import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { certificate, craft, expectRefusal, noonMs, partsOf, stranger, trusted, vendor } from '../test/fixtures.ts';
import { checkInstallation, installationId, issueMakConfirmation, verifyMakConfirmation } from './mak-confirmation.ts';

const fingerprint = new Uint8Array(32).fill(5);
const options = {
  vendorKey: vendor,
  vendor: 'Example Vendor',
  installationId: installationId(fingerprint, 'windows', 'vista-business'),
  application: 'windows',
  productGroup: 'vista-vl',
  edition: 'vista-business',
  confirmedAtMs: noonMs,
};
const confirmation = await issueMakConfirmation(options);

describe('a MAK confirmation', () => {
  test('says what the vendor confirmed', async () => {
    const { vendorKey, ...said } = options;
    expect(await verifyMakConfirmation(confirmation, trusted)).toEqual({ ...said, vendorKeyId: expect.any(String) });
  });

  test('is refused from another vendor, as another kind of document, and with any bit flipped', async () => {
    const foreign = await issueMakConfirmation({ ...options, vendorKey: stranger });
    await expectRefusal(verifyMakConfirmation(foreign, trusted), 'CONFIRMATION_INVALID', /not trusted/);
    await expectRefusal(verifyMakConfirmation(certificate, trusted), 'CONFIRMATION_INVALID');
    for (let index = 0; index < confirmation.length; index += 1) {
      const changed =
        confirmation.slice(0, index) + (confirmation[index] === 'A' ? 'B' : 'A') + confirmation.slice(index + 1);
      await expectRefusal(verifyMakConfirmation(changed, trusted), 'CONFIRMATION_INVALID');
    }
  });

  test('is refused with a claim too much, too little or wrong', async () => {
    const [header, payload] = partsOf(confirmation);
    const claims = JSON.parse(payload);
    const { edition, ...less } = claims;
    for (const wrong of [{ ...claims, exp: 1 }, less, { ...claims, sub: 'short' }, { ...claims, group: 'No Group' }]) {
      const crafted = craft(header, JSON.stringify(wrong), vendor);
      await expectRefusal(verifyMakConfirmation(crafted, trusted), 'CONFIRMATION_INVALID', /wrong claims/);
    }
  });

  test('is not issued for what is no installation or no name', async () => {
    const shortId = issueMakConfirmation({ ...options, installationId: new Uint8Array(31) });
    await expectRefusal(shortId, 'DOCUMENT_INVALID');
    await expectRefusal(issueMakConfirmation({ ...options, vendor: 'two\nlines' }), 'DOCUMENT_INVALID');
  });
});

describe('an installation id', () => {
  test('is the same for the same hardware, application and edition, and another for any other', () => {
    const text = fc.stringMatching(/^[a-z][a-z0-9-]{0,20}$/);
    const hardware = fc.uint8Array({ minLength: 32, maxLength: 32 });
    fc.assert(
      fc.property(fc.tuple(hardware, text, text), fc.tuple(hardware, text, text), (first, second) => {
        const same = JSON.stringify(first) === JSON.stringify(second);
        expect(Buffer.compare(installationId(...first), installationId(...second)) === 0).toBe(same);
      }),
    );
  });

  test('binds a confirmation to its hardware', async () => {
    const verified = await verifyMakConfirmation(confirmation, trusted);
    expect(() => checkInstallation(verified, fingerprint)).not.toThrow();
    expect(() => checkInstallation(verified, new Uint8Array(32).fill(6))).toThrow(
      expect.objectContaining({ code: 'HARDWARE_CHANGED' }),
    );
  });
});
