import { ActivationRequest as Wire } from '@muster/contracts/activation';
import { type ActivationRequest, encodeActivationRequest, encodeFrame, FrameType } from '../src/index.ts';
import { request } from './fixtures.ts';
import { hex, withHex } from './hex.ts';

/** Requests that a gateway takes, and requests that it refuses as MALFORMED_REQUEST. */
export function requestVectors() {
  const { previousCmid: _, machineName: __, fingerprint: ___, ...least } = request;
  const wire = Wire.decode(encodeActivationRequest(request));
  const changed = (change: Partial<Wire>) => Wire.encode({ ...wire, ...change }).finish();
  const extended = (...bytes: readonly number[]) => Uint8Array.of(...encodeActivationRequest(request), ...bytes);
  return {
    valid: [
      valid('everything a client usually sends', request),
      valid('nothing that may be left out', { ...least, minutesLeft: 0, clientVersion: '' }),
      valid('a virtual desktop that made a new CMID', {
        ...request,
        edition: 'vista-enterprise',
        previousCmid: '01234567-89ab-4cde-8f01-23456789abcd',
        machineClass: 'virtual',
        machineName: 'Zo\u00eb\u2019s Vista \u2013 B\u00fcro 3',
        licenceStatus: 'notification',
      }),
      { ...valid('an unknown field 100, which is ignored', request), frame: frame(extended(0xa2, 0x06, 0x01, 0x2a)) },
    ],
    broken: [
      broken('The nonce has 31 bytes.', 'nonce', changed({ nonce: new Uint8Array(31) }), false),
      broken('The application has a capital.', 'application', changed({ application: 'Windows' })),
      broken('The edition is missing.', 'edition', changed({ edition: '' })),
      broken('The CMID is all zero.', 'cmid', changed({ cmid: new Uint8Array(16) })),
      broken('The previous CMID has 8 bytes.', 'previous_cmid', changed({ previousCmid: new Uint8Array(8) })),
      broken('The machine class is missing.', 'machine_class', changed({ machineClass: 0 })),
      broken('The machine class is unknown.', 'machine_class', changed({ machineClass: 9 as 3 })),
      broken('The machine name has a line break.', 'machine_name', changed({ machineName: 'a\nb' })),
      broken('The machine name has 256 bytes.', 'machine_name', changed({ machineName: 'n'.repeat(256) })),
      broken('The fingerprint has 20 bytes.', 'fingerprint', changed({ fingerprint: new Uint8Array(20) })),
      broken('The licence status is missing.', 'licence_status', changed({ licenceStatus: 0 })),
      broken('The clock is before 1970.', 'client_time_unix_ms', changed({ clientTimeUnixMs: -1 })),
      broken('The client version has an escape.', 'client_version', changed({ clientVersion: '\u001b[31m' })),
      broken('The machine name is not UTF-8.', undefined, extended(0x3a, 0x02, 0xc3, 0x28)),
      broken('A field ends behind the message.', undefined, extended(0x3a, 0x7f, 0x41)),
      broken('The time does not fit 53 bits.', undefined, extended(0x58, ...new Array(7).fill(0xff), 0x7f)),
      broken('It is empty.', 'nonce', new Uint8Array(), false),
    ],
  };
}

function frame(payload: Uint8Array): string {
  return hex(encodeFrame(FrameType.activationRequest, payload));
}

function valid(name: string, fields: ActivationRequest) {
  return { name, frame: frame(encodeActivationRequest(fields)), fields: withHex(fields) };
}

function broken(reason: string, field: string | undefined, payload: Uint8Array, nonceReadable = true) {
  return {
    reason,
    ...(field === undefined ? {} : { field }),
    frame: frame(payload),
    ...(nonceReadable ? { nonce: hex(request.nonce) } : {}),
  };
}
