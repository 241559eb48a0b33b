import {
  type ApplicationId,
  type Catalogue,
  editionsServedBy,
  type HostPlatformId,
  MusterError,
  mayHost,
  type ProductGroup,
  type ProductGroupId,
} from '@muster/product-groups';
import { isWithin, type VendorKeys, verifyHostCertificate } from '@muster/trust';
import type { KeyActivation } from './product-key-state.ts';

/** What a host certificate has to fit. */
export interface CertifiedHost {
  readonly hostId: string;
  readonly publicKey: Uint8Array;
  /** The platform that it says it runs on; `''` until it is told. */
  readonly platform: string;
  readonly catalogue: Catalogue;
  readonly vendorKeys: VendorKeys;
  readonly nowMs: number;
}

/**
 * Checks a certificate by which a vendor activates this host for a KMS key.
 *
 * @returns what it activates.
 * @throws MusterError `UNTRUSTED_HOST` when no trusted vendor signed it, `KEY_INVALID` when it is another host's,
 * expired, or covers more than the catalogue gives its group, `KEY_WRONG_HOST_PLATFORM`.
 */
export async function checkHostCertificate(hostCertificate: string, host: CertifiedHost): Promise<KeyActivation> {
  const certificate = await verifyHostCertificate(hostCertificate, host.vendorKeys);
  const refuse = (message: string, remedy: string) => new MusterError({ code: 'KEY_INVALID', message, remedy });
  if (certificate.hostId !== host.hostId) {
    throw refuse(`The certificate belongs to the host ${certificate.hostId}.`, 'Ask the vendor for one of this host.');
  }
  if (Buffer.compare(certificate.hostPublicKey, host.publicKey) !== 0) {
    throw refuse(
      "The certificate is for another key than this host's.",
      'Ask the vendor for one of the key that this host has now.',
    );
  }
  if (!isWithin(certificate, host.nowMs)) {
    throw refuse('The certificate is not valid at this time.', "Check the host's clock, or ask for a new one.");
  }
  const application = certificate.application as ApplicationId;
  const productGroup = certificate.productGroup as ProductGroupId;
  const group = requirePlatform(host.catalogue, application, productGroup, host.platform);
  const definition = host.catalogue.applications.get(application);
  const served = new Set<string>(definition === undefined ? [] : editionsServedBy(definition, productGroup));
  const foreign = certificate.editions.find((edition) => !served.has(edition));
  if (foreign !== undefined) {
    throw refuse(`The certificate covers ${foreign}, which ${productGroup} does not serve.`, 'Ask the vendor.');
  }
  return {
    application,
    productGroup,
    key: group.key,
    vendor: certificate.vendor,
    hostCertificate,
    issuedAtMs: certificate.issuedAtMs,
    activatedAtMs: host.nowMs,
    expiresAtMs: certificate.expiresAtMs,
  };
}

/**
 * Checks that a host of a platform may carry a key of a product group (DESIGN 2.1).
 *
 * @returns the group.
 * @throws MusterError `KEY_INVALID` when the catalogue has no such group, `KEY_WRONG_HOST_PLATFORM`.
 */
export function requirePlatform(
  catalogue: Catalogue,
  application: ApplicationId,
  productGroup: ProductGroupId,
  platform: string,
): ProductGroup {
  const definition = catalogue.applications.get(application);
  const group = definition?.groups.get(productGroup);
  if (definition === undefined || group === undefined) {
    throw new MusterError({
      code: 'KEY_INVALID',
      message: `The catalogue has no product group ${productGroup} in the application ${application}.`,
      remedy: 'Install the catalogue that the key was issued for.',
    });
  }
  if (mayHost(definition, productGroup, platform as HostPlatformId)) return group;
  throw wrongPlatform(group, platform);
}

/** That a key of a group may not be hosted on a platform. */
export function wrongPlatform(group: ProductGroup, platform: string): MusterError {
  return new MusterError({
    code: 'KEY_WRONG_HOST_PLATFORM',
    message: `A ${group.key} key (${group.name}) cannot be hosted on ${platform || 'a host without a platform'}.`,
    remedy: `Host it on one of: ${group.hostPlatforms.join(', ')}.`,
  });
}
