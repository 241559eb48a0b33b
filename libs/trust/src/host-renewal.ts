import { sign, verify } from 'node:crypto';
import { publicKeyObject } from './public-key.ts';
import type { SigningKey } from './signing-key.ts';

/** What a host signs to have its certificate renewed without its product key (DESIGN 3). */
export interface HostRenewal {
  /** The certificate that it has, a JWT. */
  readonly hostCertificate: string;
  readonly requestId: Uint8Array;
  /** Milliseconds since 1970, by the clock of the host. */
  readonly requestedAtMs: number;
}

/** A signature by the host's key over a renewal: Ed25519, 64 bytes. No other signature of Muster begins so. */
export function signHostRenewal(renewal: HostRenewal, hostKey: SigningKey): Uint8Array {
  return new Uint8Array(sign(null, signedBytes(renewal), hostKey.privateKey));
}

/** Whether a renewal was signed by the host with this public key of 32 bytes. */
export function verifyHostRenewal(renewal: HostRenewal, signature: Uint8Array, hostPublicKey: Uint8Array): boolean {
  return (
    signature.length === 64 &&
    verify(null, signedBytes(renewal), publicKeyObject(hostPublicKey), new Uint8Array(signature))
  );
}

/** `muster host renewal v1`, the time, the request id in hexadecimal digits and the certificate, each behind a zero. */
function signedBytes({ hostCertificate, requestId, requestedAtMs }: HostRenewal): Uint8Array {
  const fields = [String(requestedAtMs), Buffer.from(requestId).toString('hex'), hostCertificate];
  return Buffer.from(['muster host renewal v1', ...fields].join('\0'), 'utf8');
}
