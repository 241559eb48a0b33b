import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Application,
  type Catalogue,
  editionsServedBy,
  findGroupByKey,
  highestGroup,
  keyKinds,
  MusterError,
  type ProductGroup,
} from '@muster/product-groups';
import { secretFile } from '@muster/service-kit';
import {
  issueHostCertificate,
  publicKeyToJwk,
  type SigningKey,
  signCatalogue,
  signingKeyFromSeed,
} from '@muster/trust';

const vendorName = 'demo-vendor';
/** A certificate begins so much earlier, for a host whose clock is set back a little later. */
const clockAllowanceMs = 60 * 60 * 1000;
const certificateLifeMs = 365 * 24 * 60 * 60 * 1000;

/** Who asks to be activated. */
export interface HostToActivate {
  readonly hostId: string;
  readonly publicKey: Uint8Array;
}

/**
 * A vendor for trying Muster out, made in the data directory at the first `--demo` (DESIGN 4.2). It signs catalogues
 * and activates this host for keys, with the documents that a real vendor would issue.
 */
export class DemoVendor {
  readonly #key: SigningKey;

  private constructor(key: SigningKey) {
    this.#key = key;
  }

  /** Opens the demo vendor of a data directory, or makes it. */
  static open(dataDirectory: string): DemoVendor {
    const directory = join(dataDirectory, 'demo-vendor');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    return new DemoVendor(signingKeyFromSeed(secretFile(join(directory, 'root.secret'))));
  }

  /** Whether a data directory has a demo vendor. */
  static exists(dataDirectory: string): boolean {
    return existsSync(join(dataDirectory, 'demo-vendor', 'root.secret'));
  }

  /** The public key that clients of this vendor are built with, a JWK. */
  get publicKeyJwk(): string {
    return publicKeyToJwk(this.#key.publicKey);
  }

  signCatalogue(text: string): Promise<string> {
    return signCatalogue({ text, vendor: this.#key });
  }

  /** Activates a host for a product group: issues its host certificate, valid for a year. */
  activateHost(host: HostToActivate, application: Application, group: ProductGroup, nowMs: number): Promise<string> {
    return issueHostCertificate({
      vendorKey: this.#key,
      vendor: vendorName,
      hostId: host.hostId,
      hostPublicKey: host.publicKey,
      application: application.id,
      productGroup: group.id,
      editions: editionsServedBy(application, group.id),
      issuedAtMs: nowMs - clockAllowanceMs,
      expiresAtMs: nowMs + certificateLifeMs,
    });
  }
}

/** A kind of KMS key, found in a catalogue. */
export interface DemoKey {
  readonly application: Application;
  readonly group: ProductGroup;
}

/**
 * The keys that a demonstration activates: those of the named kinds, or of each application the one that serves the
 * most editions.
 *
 * @throws MusterError `KEY_INVALID` when the catalogue has no such kind.
 */
export function demoKeys(catalogue: Catalogue, kinds: readonly string[]): readonly DemoKey[] {
  if (kinds.length === 0) {
    return [...catalogue.applications.values()].map((application) => ({
      application,
      group: highestGroup(application),
    }));
  }
  return kinds.map((kind) => {
    const found = findGroupByKey(catalogue, kind);
    if (found !== undefined) return found;
    throw new MusterError({
      code: 'KEY_INVALID',
      message: `The catalogue ${catalogue.id} has no key of the kind ${kind}.`,
      remedy: `Choose one of: ${keyKinds(catalogue).join(', ')}.`,
    });
  });
}
