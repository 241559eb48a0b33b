import { parseActivationRequest } from '@muster/wire-codec';
import { expect, test } from 'vitest';
import { nonceOfRequest, question, RequestFrame } from './request-template.ts';

test('a filled frame is a request with its own nonce, CMID and time', () => {
  const frame = new RequestFrame();
  frame.nonce.fill(0x11);
  frame.cmid.fill(0x22);
  frame.setTime(1_795_521_600_000);
  const payload = frame.bytes.subarray(4);
  expect(parseActivationRequest(payload)).toMatchObject({
    ok: true,
    request: {
      ...question,
      nonce: Buffer.alloc(32, 0x11),
      cmid: '22222222-2222-2222-2222-222222222222',
      clientTimeMs: 1_795_521_600_000,
    },
  });
  expect(Buffer.from(nonceOfRequest(payload))).toEqual(Buffer.alloc(32, 0x11));
});
