import { randomBytes } from 'node:crypto';
import type { ActivationQuestion } from '@muster/client';
import {
  type ActivationRequest,
  encodeActivationRequest,
  encodeFrame,
  FrameType,
  nonceBytes,
} from '@muster/wire-codec';

/** A machine's question as a request with a nonce and a time. */
export function requestOf(machine: ActivationQuestion, clientTimeMs: number): ActivationRequest {
  return { ...machine, nonce: randomBytes(nonceBytes), clientTimeMs };
}

/** The frame of a request. */
export function frameOf(request: ActivationRequest): Uint8Array {
  return encodeFrame(FrameType.activationRequest, encodeActivationRequest(request));
}
