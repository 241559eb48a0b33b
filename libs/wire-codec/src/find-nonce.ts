import { BinaryReader } from '@bufbuild/protobuf/wire';
import { maximumRequestPayloadBytes, nonceBytes } from './limits.ts';

/**
 * The nonce of a request that is otherwise broken, so that the error can be matched to it: field 1 of every request.
 * Never throws.
 */
export function findNonce(payload: Uint8Array): Uint8Array | undefined {
  let nonce: Uint8Array | undefined;
  try {
    const reader = new BinaryReader(payload.subarray(0, maximumRequestPayloadBytes));
    while (reader.pos < reader.len) {
      const [field, wireType] = reader.tag();
      if (field === 1 && wireType === 2) nonce = reader.bytes();
      else reader.skip(wireType, field);
    }
  } catch {
    // What was found before the damage counts.
  }
  return nonce?.length === nonceBytes ? nonce : undefined;
}
