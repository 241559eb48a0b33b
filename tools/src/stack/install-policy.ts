import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PolicyAdministration } from '@muster/contracts/policy';
import { DemoVendor, demoKeys } from '@muster/muster/src/demo-vendor.ts';
import { builtInCatalogues, parseCatalogue } from '@muster/product-groups';
import { formatUuid } from '@muster/wire-codec';

/** The vendor of a stack, and what its clients trust. */
export interface StackVendor {
  readonly keyFile: string;
  readonly keyJwk: string;
  /** Does as an administrator does who installs a site; what an earlier run has installed stays. */
  install(administration: PolicyAdministration): Promise<void>;
}

const catalogueName = 'windows-2008';
/** May host every key of the catalogue (DESIGN 2.1). */
const hostPlatform = 'kms-for-windows-server-2003';

/** Makes the vendor of a stack, or opens that of an earlier run. */
export function openVendor(directory: string): StackVendor {
  const vendor = DemoVendor.open(directory);
  const keyFile = join(directory, 'vendor-key.jwk');
  writeFileSync(keyFile, `${vendor.publicKeyJwk}\n`);
  return {
    keyFile,
    keyJwk: vendor.publicKeyJwk,
    install: (administration) => install(vendor, administration),
  };
}

async function install(vendor: DemoVendor, administration: PolicyAdministration): Promise<void> {
  await administration.trustVendor({ publicKeyJwk: vendor.publicKeyJwk });
  const { snapshot, hostPublicKey } = await administration.getPolicy({});
  const text = builtInCatalogues.get(catalogueName);
  const parsed = parseCatalogue(text ?? '', catalogueName);
  if (snapshot === undefined || text === undefined || !parsed.ok) throw new Error('the built-in catalogue is missing');
  if (snapshot.signedCatalogue === '') {
    await administration.installCatalogue({ signedCatalogue: await vendor.signCatalogue(text) });
    await administration.setHostPlatform({ hostPlatform });
  }
  const host = { hostId: formatUuid(snapshot.hostId), publicKey: hostPublicKey };
  for (const { application, group } of demoKeys(parsed.catalogue, [])) {
    const installed = snapshot.hostKeys.some(
      (key) => key.application === application.id && key.productGroup === group.id && key.expiresAtUnixMs > Date.now(),
    );
    if (installed) continue;
    const hostCertificate = await vendor.activateHost(host, application, group, Date.now());
    await administration.installHostCertificate({ hostCertificate });
  }
}
