import type {
  ActivateHostRequest,
  ActivateHostResponse,
  RenewHostRequest,
  RenewHostResponse,
} from '@muster/contracts/vendor';
import { type ErrorCode, MusterError } from '@muster/product-groups';
import type { Clock } from '@muster/service-kit';
import {
  encodeActivationConfirmation,
  issueHostCertificate,
  makeProductKey,
  vendorKeys,
  verifyHostCertificate,
  verifyHostRenewal,
} from '@muster/trust';
import { formatUuid } from '@muster/wire-codec';
import type { KeyAuthority } from '../src/index.ts';
import { dayMs, editionsOf, vendor } from './policy.ts';

/** A KMS key of `windows-2008`, made of a byte that tells it from others. */
export function kmsKeyOf(byte: number): string {
  return makeProductKey('KMS', new Uint8Array(14).fill(byte));
}

/**
 * The vendor's side as far as a host sees it, with the real documents: every key is for one product group, the same
 * request id gets the same certificate, and each other one uses an activation. The authority itself is another service;
 * both together are tested in apps/muster.
 */
export class DocumentAuthority implements KeyAuthority {
  /** The requests that used an activation, and what each was given. */
  readonly activations = new Map<string, ActivateHostResponse>();
  renewals = 0;
  /** Certificates end so long after they are issued. */
  certificateLifeMs = 365 * dayMs;
  /** What every call is refused with. */
  refusal: ErrorCode | undefined;
  /** Whether the next answers are lost on their way, after everything was done. */
  losesAnswers = false;
  /** Signs in the place of the vendor. */
  signer = vendor;
  readonly #clock: Clock;
  readonly #groups: Readonly<Record<string, string>>;

  /** @param groups the product group of each product key. */
  constructor(clock: Clock, groups: Readonly<Record<string, string>>) {
    this.#clock = clock;
    this.#groups = groups;
  }

  async activateHost(request: ActivateHostRequest): Promise<ActivateHostResponse> {
    this.#refuse();
    const productGroup = this.#groups[request.productKey];
    if (productGroup === undefined) throw new MusterError({ code: 'KEY_INVALID', message: 'Nobody issued it.' });
    const requestId = Buffer.from(request.requestId).toString('hex');
    const answer = this.activations.get(requestId) ?? {
      ...(await this.#certify(formatUuid(request.hostId), request.hostPublicKey, productGroup)),
      activationsUsed: this.activations.size + 1,
      activationLimit: 10,
    };
    this.activations.set(requestId, answer);
    this.#lose();
    return answer;
  }

  async renewHost(request: RenewHostRequest): Promise<RenewHostResponse> {
    this.#refuse();
    const present = await verifyHostCertificate(request.hostCertificate, vendorKeys(vendor.publicKey));
    const { hostCertificate, requestId, requestedAtUnixMs: requestedAtMs, signature } = request;
    if (!verifyHostRenewal({ hostCertificate, requestId, requestedAtMs }, signature, present.hostPublicKey)) {
      throw new MusterError({ code: 'DOCUMENT_INVALID', message: 'The host did not sign it.' });
    }
    this.renewals += 1;
    const renewed = await this.#certify(present.hostId, present.hostPublicKey, present.productGroup);
    this.#lose();
    return renewed;
  }

  /** The text block that a vendor gives for a host and a product group. */
  async confirm(hostId: string, hostPublicKey: Uint8Array, productGroup: string): Promise<string> {
    const { hostCertificate } = await this.#certify(hostId, hostPublicKey, productGroup);
    return encodeActivationConfirmation(hostCertificate);
  }

  async #certify(hostId: string, hostPublicKey: Uint8Array, productGroup: string) {
    const issuedAtMs = this.#clock.nowMs();
    const expiresAtMs = issuedAtMs + this.certificateLifeMs;
    const hostCertificate = await issueHostCertificate({
      vendor: 'Example Vendor',
      vendorKey: this.signer,
      hostId,
      hostPublicKey,
      application: 'windows',
      productGroup,
      editions: editionsOf(productGroup),
      issuedAtMs,
      expiresAtMs,
    });
    return { hostCertificate, expiresAtUnixMs: expiresAtMs };
  }

  #refuse(): void {
    if (this.refusal !== undefined) throw new MusterError({ code: this.refusal, message: 'The authority refuses it.' });
  }

  #lose(): void {
    if (this.losesAnswers) throw new MusterError({ code: 'UNAVAILABLE', message: 'The connection was cut.' });
  }
}
