import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KeyKind, type VendorAdministration } from '@muster/contracts/vendor';
import { installationId } from '@muster/trust';
import type { NamedInstallation } from '../../src/mak-lines.ts';

/** A MAK that was issued. */
export interface TestMak {
  /** As the vendor wrote it. */
  readonly text: string;
  readonly keyId: Uint8Array;
  /** Installations that it has confirmed. */
  used(): Promise<number>;
}

/** Issues a MAK of `windows` with so many activations, of the group of Windows Vista unless told. */
export async function issueMak(
  administration: VendorAdministration,
  makActivations: number,
  productGroup = 'vista-vl',
): Promise<TestMak> {
  const { productKey: text, key } = await administration.issueKey({
    kind: KeyKind.MAK,
    application: 'windows',
    productGroup,
    customer: 'Contoso',
    validityDays: undefined,
    hostLimit: undefined,
    activationsPerHost: undefined,
    certificateDays: undefined,
    makActivations,
  });
  if (key === undefined) throw new Error('the vendor told no key');
  const { keyId } = key;
  return { text, keyId, used: async () => (await administration.getKey({ keyId })).makActivationsUsed };
}

/** A machine that never was before. */
export function newFingerprint(): string {
  return randomBytes(32).toString('hex');
}

/** An installation of a machine that never was before, or of this one. */
export function newInstallation(edition = 'vista-business', fingerprint = newFingerprint()): NamedInstallation {
  const id = installationId(Buffer.from(fingerprint, 'hex'), 'windows', edition);
  return { installationId: Buffer.from(id).toString('hex'), application: 'windows', edition };
}

/** Writes the files that commands are given: a MAK and the vendor's public key. Returns their options. */
export function makFiles(directory: string, text: string, publicKeyJwk: string) {
  const [keyFile, vendorKeyFile] = [join(directory, `${text.slice(-5)}.txt`), join(directory, 'vendor.jwk')];
  writeFileSync(keyFile, `${text}\n`);
  writeFileSync(vendorKeyFile, publicKeyJwk);
  return { key: ['--key-file', keyFile], vendor: ['--vendor-key', vendorKeyFile] } as const;
}
