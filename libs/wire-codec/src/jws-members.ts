import type { Jws } from '@muster/contracts/activation';

/**
 * A compact JWS as the message `Jws` of activation.proto carries it: its members without base64url.
 * Throws RangeError when the text has not three members.
 */
export function jwsMembers(compact: string): Jws {
  const [protectedHeader, payload, signature, more] = compact.split('.');
  if (protectedHeader === undefined || payload === undefined || signature === undefined || more !== undefined) {
    throw new RangeError('a compact JWS has three members');
  }
  return {
    protectedHeader: Buffer.from(protectedHeader, 'base64url'),
    payload: Buffer.from(payload, 'base64url'),
    signature: Buffer.from(signature, 'base64url'),
  };
}

/** The compact JWS of the members. Whatever they hold, only the one canonical text comes out. */
export function compactJws({ protectedHeader, payload, signature }: Jws): string {
  return [protectedHeader, payload, signature].map(base64url).join('.');
}

function base64url(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}
