import { MusterError } from '@muster/product-groups';
import { type MakConfirmation, type VendorKeys, verifyMakConfirmation } from '@muster/trust';
import type { MakRequest } from './mak-request.ts';

/** What a confirmation has to be for. */
export type AskedInstallation = Pick<MakRequest, 'application' | 'edition' | 'installationId'>;

/**
 * Verifies that a vendor has confirmed the installation that was asked for. It needs neither a nonce nor a clock, because
 * a confirmation is permanent: an older one of the same installation is as good (DESIGN 3).
 *
 * @param confirmation a JWT.
 * @param vendorKeys those that the client was built with.
 * @returns what is confirmed. Rejects with MusterError `CONFIRMATION_INVALID`.
 */
export async function verifyConfirmationFor(
  confirmation: string,
  asked: AskedInstallation,
  vendorKeys: VendorKeys,
): Promise<MakConfirmation> {
  const confirmed = await verifyMakConfirmation(confirmation, vendorKeys);
  if (confirmed.application !== asked.application) throw isForAnother('application');
  if (confirmed.edition !== asked.edition) throw isForAnother('edition');
  if (!isSame(confirmed.installationId, asked.installationId)) throw isForAnother('installation');
  return confirmed;
}

function isForAnother(what: string): MusterError {
  return new MusterError({ code: 'CONFIRMATION_INVALID', message: `The MAK confirmation is for another ${what}.` });
}

function isSame(one: Uint8Array, other: Uint8Array): boolean {
  return one.length === other.length && one.every((byte, index) => byte === other[index]);
}
