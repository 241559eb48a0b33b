import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import { type VendorAuthority, VendorAuthorityService } from '@muster/contracts/vendor';
import { MusterError } from '@muster/product-groups';
import { connectTo } from '@muster/service-kit';

/** How a host reaches the authority of its vendor. */
export interface AuthorityAddress {
  /** `host:port`. */
  readonly address: string;
  /** PEM file with the authorities that the server's certificate may come from; the system's when it is left out. */
  readonly caFile?: string | undefined;
  /** Without TLS everybody on the way reads the product key: on this machine only, for tests. */
  readonly plain?: boolean;
}

/**
 * The vendor's authority over gRPC. TLS shows that the server is the host that was named; this host shows no
 * certificate, for whoever has a product key may ask. Nothing is connected before the first call.
 *
 * @throws MusterError `TLS_INVALID` when the file of authorities cannot be used, `SETTING_INVALID` when TLS is off and
 * the address is not of this machine.
 */
export function connectToAuthority({ address, caFile, plain = false }: AuthorityAddress): {
  readonly authority: VendorAuthority;
  close(): void;
} {
  if (plain && !isLoopback(address)) {
    throw new MusterError({
      code: 'SETTING_INVALID',
      message: `TLS to the vendor's authority is off, and ${address} is not an address of this machine.`,
      remedy: 'Leave TLS on: a product key must not cross a network in clear.',
    });
  }
  const security = plain ? credentials.createInsecure() : serverAuthentication(caFile);
  const options = { checkHostName: !plain };
  const link = connectTo<VendorAuthority>(VendorAuthorityService, address, security, undefined, options);
  return { authority: link.service, close: link.close };
}

function serverAuthentication(caFile: string | undefined): ChannelCredentials {
  if (caFile === undefined) return credentials.createSsl();
  try {
    const pem = readFileSync(caFile);
    new X509Certificate(pem); // the first of them; TLS itself passes over what is none
    return credentials.createSsl(pem);
  } catch (error) {
    throw new MusterError({
      code: 'TLS_INVALID',
      message: `${caFile} cannot be used as authorities of the vendor: ${(error as Error).message}.`,
      cause: error,
    });
  }
}

function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
