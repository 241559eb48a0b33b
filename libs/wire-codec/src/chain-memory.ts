import {
  type GatewayCredential,
  type HostCertificate,
  type VendorKeys,
  verifyGatewayCredential,
  verifyHostCertificate,
} from '@muster/trust';
import type { ActivationReply } from './activation-reply.ts';
import { untrusted } from './untrusted.ts';

/** The verified way from the vendor to the gateway, without the clock. */
export interface VerifiedChain {
  readonly certificate: HostCertificate;
  readonly credential: GatewayCredential;
}

/**
 * What one connection remembers: the credential and certificate received last, because a reply leaves out what has not
 * changed (activation.proto), and their verification, because it costs two signatures. One per connection, never
 * shared between connections.
 */
export interface ChainMemory {
  /** Takes what the reply brings and verifies the chain that is now in force. Rejects with UNTRUSTED_HOST. */
  receive(reply: ActivationReply, vendorKeys: VendorKeys): Promise<VerifiedChain>;
}

/** A memory for a new connection. */
export function createChainMemory(): ChainMemory {
  let certificateJwt: string | undefined;
  let credentialJwt: string | undefined;
  let verifiedBy: VendorKeys | undefined;
  let verified: Promise<VerifiedChain> | undefined;

  return {
    // Everything up to the returned promise happens at once, so that replies verified at the same time are remembered
    // in the order in which they arrived.
    receive(reply, vendorKeys) {
      const certificate = reply.hostCertificate ?? certificateJwt;
      const credential = reply.gatewayCredential ?? credentialJwt;
      const known = certificate === certificateJwt && credential === credentialJwt && vendorKeys === verifiedBy;
      if (!known || verified === undefined) {
        certificateJwt = certificate;
        credentialJwt = credential;
        verifiedBy = vendorKeys;
        verified = verifyChain(certificate, credential, vendorKeys);
      }
      return verified;
    },
  };
}

async function verifyChain(
  certificateJwt: string | undefined,
  credentialJwt: string | undefined,
  vendorKeys: VendorKeys,
): Promise<VerifiedChain> {
  const remedy = 'Ask again on a new connection.';
  if (certificateJwt === undefined) throw untrusted('The connection has brought no host certificate yet.', remedy);
  if (credentialJwt === undefined) throw untrusted('The connection has brought no gateway credential yet.', remedy);
  const certificate = await verifyHostCertificate(certificateJwt, vendorKeys);
  const credential = await verifyGatewayCredential(credentialJwt, certificate.hostPublicKey);
  return { certificate, credential };
}
