import { createHash } from 'node:crypto';
import { type ActivationRequest, encodeActivationRequest, encodeFrame, FrameType } from '@muster/wire-codec';

/** What every request of the load says; only nonce, CMID and time differ. */
export const question = { application: 'windows', edition: 'vista-business' } as const;

export const nonceBytes = 32;
const cmidBytes = 16;
const timeBytes = 6;

const nonceMarker = Buffer.alloc(nonceBytes, 0xaa);
const cmidMarker = Buffer.alloc(cmidBytes, 0xbb);
// From 1986 to 2109 a time in milliseconds takes six bytes as a varint.
const timeMarkerMs = 2 ** 41 - 1;

const template = Buffer.from(encodeFrame(FrameType.activationRequest, encodeActivationRequest(markedRequest())));

const nonceAt = placeOf(nonceMarker);
const cmidAt = placeOf(cmidMarker);
const timeAt = placeOf(varint(timeMarkerMs));

/** A frame with one encoded request, to be filled again and again. */
export class RequestFrame {
  readonly bytes = Buffer.from(template);
  readonly nonce = this.bytes.subarray(nonceAt, nonceAt + nonceBytes);
  readonly cmid = this.bytes.subarray(cmidAt, cmidAt + cmidBytes);

  setTime(unixMs: number): void {
    writeVarint(this.bytes, timeAt, unixMs);
  }
}

/** The nonce in a request's payload, which the echo sends back. */
export function nonceOfRequest(payload: Uint8Array): Uint8Array {
  const at = nonceAt - 4;
  return payload.subarray(at, at + nonceBytes);
}

function markedRequest(): ActivationRequest {
  return {
    ...question,
    nonce: nonceMarker,
    cmid: cmidMarker.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-'),
    machineClass: 'physical',
    machineName: 'BENCH-0001',
    fingerprint: createHash('sha256').update('muster bench').digest(),
    licenceStatus: 'initial-grace',
    minutesLeft: 43_200,
    clientTimeMs: timeMarkerMs,
    clientVersion: 'muster-bench/0.1.0',
  };
}

function placeOf(marker: Uint8Array): number {
  const at = template.indexOf(marker);
  if (at < 0 || template.indexOf(marker, at + 1) >= 0) throw new Error('the request template has no single marker');
  return at;
}

function varint(value: number): Buffer {
  const bytes = Buffer.alloc(timeBytes);
  writeVarint(bytes, 0, value);
  return bytes;
}

function writeVarint(bytes: Buffer, at: number, value: number): void {
  let rest = value;
  for (let index = 0; index < timeBytes; index += 1) {
    bytes[at + index] = (rest % 128) + (index < timeBytes - 1 ? 128 : 0);
    rest = Math.floor(rest / 128);
  }
}
