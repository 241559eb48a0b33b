import { readdirSync, readFileSync } from 'node:fs';
import { MusterError } from '@muster/product-groups';
import {
  installationId,
  keyId,
  publicKeyFromJwk,
  signingKeyFromSeed,
  vendorKeys,
  verifyBatchProof,
  verifyCatalogue,
  verifyGatewayCredential,
  verifyHostCertificate,
} from '@muster/trust';
import { describe, expect, test } from 'vitest';
import {
  createChainMemory,
  encodeActivationRequest,
  encodeErrorReply,
  encodeFrame,
  encodeMakReply,
  encodeMakRequest,
  FrameReader,
  FrameType,
  maximumReplyPayloadBytes,
  parseActivationReply,
  parseActivationRequest,
  parseErrorReply,
  parseMakReply,
  parseMakRequest,
  parsePing,
  parsePong,
  verifyActivationReply,
  verifyConfirmationFor,
} from '../src/index.ts';
import { hex, unhex, withHex } from './hex.ts';
import { makeVectors, vectorDirectory, vectorText } from './vectors.ts';

const vectors = await makeVectors();

/** The vectors as they lie in the repository: what others test against. */
function stored<Name extends keyof typeof vectors>(name: Name): (typeof vectors)[Name] {
  return JSON.parse(readFileSync(new URL(name, vectorDirectory), 'utf8'));
}

function payloadOf(frame: string): Uint8Array {
  const { frames, problem } = new FrameReader(maximumReplyPayloadBytes).push(unhex(frame));
  expect(problem).toBeUndefined();
  expect(frames).toHaveLength(1);
  return frames[0]?.payload ?? new Uint8Array();
}

describe('the vectors', () => {
  test.each(Object.entries(vectors))('%s does not change when it is made again', (name, content) => {
    expect(readFileSync(new URL(name, vectorDirectory), 'utf8')).toBe(vectorText(content));
  });

  test('are all made here', () => {
    const files = readdirSync(vectorDirectory).filter((name) => name.endsWith('.json'));
    expect(files.toSorted()).toEqual(Object.keys(vectors).toSorted());
  });

  test.each(stored('keys.json'))('key $name', (vector) => {
    const { publicKey } = signingKeyFromSeed(unhex(vector.seed));
    expect(hex(publicKey)).toBe(vector.publicKey);
    expect(hex(publicKeyFromJwk(vector.jwk))).toBe(vector.publicKey);
    expect(keyId(publicKey)).toBe(vector.keyId);
  });
});

describe('documents', () => {
  const verify = async (kind: string, jws: string, verifiedBy: string): Promise<unknown> => {
    if (kind === 'gateway-credential') return verifyGatewayCredential(jws, unhex(verifiedBy));
    const trusted = vendorKeys(unhex(verifiedBy));
    return kind === 'signed-catalogue' ? verifyCatalogue(jws, trusted) : verifyHostCertificate(jws, trusted);
  };

  test.each(stored('documents.json').valid)('$name', async ({ kind, jws, verifiedBy }) => {
    await expect(verify(kind, jws, verifiedBy)).resolves.toBeDefined();
  });

  test.each(stored('documents.json').broken)('broken: $reason', async ({ kind, jws, verifiedBy }) => {
    await expect(verify(kind, jws, verifiedBy)).rejects.toThrow(MusterError);
  });
});

describe('frames', () => {
  const { maximumPayloadBytes, streams } = stored('frames.json');
  test.each(streams)('$name', ({ stream, frames, problem }) => {
    const read = new FrameReader(maximumPayloadBytes).push(unhex(stream));
    expect(read.frames.map(({ type, payload }) => ({ type, payload: hex(payload) }))).toEqual(frames);
    expect(read.problem).toEqual(problem);
  });

  const { errorReplies, pings } = stored('errors.json');
  test.each(errorReplies)('error reply $fields.code', ({ frame, fields }) => {
    const parsed = parseErrorReply(payloadOf(frame));
    if (!parsed.ok) expect.fail(parsed.problem.message);
    expect(withHex(parsed.error)).toEqual(fields);
    expect(hex(encodeFrame(FrameType.errorReply, encodeErrorReply(parsed.error)))).toBe(frame);
  });

  test.each(pings)('ping and pong of $payload', ({ payload, ping, pong }) => {
    expect(parsePing(payloadOf(ping))).toEqual({ ok: true, payload: unhex(payload) });
    expect(parsePong(payloadOf(pong))).toEqual({ ok: true, payload: unhex(payload) });
  });
});

describe('requests', () => {
  test.each(stored('requests.json').valid)('$name', ({ name, frame, fields }) => {
    const parsed = parseActivationRequest(payloadOf(frame));
    if (!parsed.ok) expect.fail(parsed.problem.message);
    expect(withHex(parsed.request)).toEqual(fields);
    const again = hex(encodeFrame(FrameType.activationRequest, encodeActivationRequest(parsed.request)));
    expect(again === frame).toBe(!name.includes('unknown field'));
  });

  test.each(stored('requests.json').broken)('broken: $reason', ({ frame, field, nonce }) => {
    const parsed = parseActivationRequest(payloadOf(frame));
    if (parsed.ok) expect.fail('it was taken');
    expect(parsed.problem.field).toBe(field);
    expect(parsed.nonce === undefined ? undefined : hex(parsed.nonce)).toBe(nonce);
  });
});

describe('batches', () => {
  const { publicKey, batches, broken } = stored('batches.json');
  const proved = (message: string, proof: (typeof broken)[number]['proof']) =>
    verifyBatchProof(
      unhex(message),
      { signature: unhex(proof.signature), leafIndex: proof.leafIndex, path: proof.path.map(unhex) },
      unhex(publicKey),
    );

  test.each(batches)('of $messages.length', ({ messages, levels, proofs, signedBytes }) => {
    expect(signedBytes.endsWith(levels.at(-1)?.[0] ?? '-')).toBe(true);
    for (const [index, message] of messages.entries()) {
      const proof = proofs[index] ?? expect.fail('no proof');
      expect(proved(message, proof)).toBe(true);
      expect(proof.path).toEqual(levels.slice(0, -1).map((level, height) => level[(index >> height) ^ 1]));
    }
  });

  test.each(broken)('broken: $reason', ({ message, proof }) => {
    expect(proved(message, proof)).toBe(false);
  });
});

/** What a refusal at each step of docs/protocol.md says. */
const messageOfStep: Readonly<Record<number, RegExp>> = {
  1: /has brought no/,
  2: /^The host certificate/,
  3: /^The gateway credential/,
  4: /not signed by the gateway/,
  5: /cannot be read/,
  6: /answers another request|is for another/,
  7: /names another host/,
  8: /outside the validity/,
  9: /refuses and yet/,
  10: /below the threshold|does not cover/,
  11: /validity/,
  12: /clock/,
};

describe('replies', () => {
  const { vendorPublicKeys, request, nowMs, clockToleranceMs, connections } = stored('replies.json');
  const vendors = vendorKeys(...vendorPublicKeys.map(unhex));
  const asked = {
    nonce: unhex(String(request.nonce)),
    application: String(request.application),
    edition: String(request.edition),
    cmid: String(request.cmid),
  };

  test.each(connections)('$name', async ({ replies }) => {
    const memory = createChainMemory();
    for (const { frame, result, step } of replies) {
      const parsed = parseActivationReply(payloadOf(frame));
      if (!parsed.ok) expect.fail(parsed.problem.message);

      const verified = verifyActivationReply({
        reply: parsed.reply,
        request: asked,
        vendorKeys: vendors,
        nowMs,
        clockToleranceMs,
        memory,
      });
      if (result === undefined) await expect(verified).rejects.toThrow(messageOfStep[step ?? 0]);
      else expect(withHex(await verified)).toMatchObject(result);
    }
  });
});

describe('MAK', () => {
  const { vendorPublicKeys, installationIds, requests, replies } = stored('mak.json');

  test.each(installationIds)('installation id of $application $edition', (vector) => {
    const { fingerprint, application, edition } = vector;
    expect(hex(installationId(unhex(fingerprint), application, edition))).toBe(vector.installationId);
  });

  test.each(requests.valid)('request: $name', ({ frame, fields }) => {
    const parsed = parseMakRequest(payloadOf(frame));
    if (!parsed.ok) expect.fail(parsed.problem.message);
    expect(withHex(parsed.request)).toEqual(fields);
    expect(hex(encodeFrame(FrameType.makRequest, encodeMakRequest(parsed.request)))).toBe(frame);
  });

  test.each(requests.broken)('broken request: $reason', ({ frame, field, nonce }) => {
    const parsed = parseMakRequest(payloadOf(frame));
    if (parsed.ok) expect.fail('it was taken');
    expect(parsed.problem.field).toBe(field);
    expect(parsed.nonce === undefined ? undefined : hex(parsed.nonce)).toBe(nonce);
  });

  const vendors = vendorKeys(...vendorPublicKeys.map(unhex));
  const asked = {
    application: String(replies.request.application),
    edition: String(replies.request.edition),
    installationId: unhex(String(replies.request.installationId)),
  };
  const confirmationOf = (frame: string) => {
    const parsed = parseMakReply(payloadOf(frame));
    if (!parsed.ok || parsed.reply.code !== 'GRANTED') expect.fail('it confirms nothing');
    expect(hex(encodeFrame(FrameType.makReply, encodeMakReply(parsed.reply)))).toBe(frame);
    expect(hex(parsed.reply.nonce)).toBe(replies.request.nonce);
    return parsed.reply.confirmation;
  };

  test.each(replies.believed)('reply: $name', async ({ frame, claims }) => {
    const confirmed = await verifyConfirmationFor(confirmationOf(frame), asked, vendors);
    expect({
      iss: confirmed.vendor,
      sub: Buffer.from(confirmed.installationId).toString('base64url'),
      iat: confirmed.confirmedAtMs / 1000,
      application: confirmed.application,
      group: confirmed.productGroup,
      edition: confirmed.edition,
    }).toEqual(claims);
  });

  test.each(replies.unproved)('unproved reply: $reason', async ({ frame }) => {
    const verified = verifyConfirmationFor(confirmationOf(frame), asked, vendors);
    await expect(verified).rejects.toMatchObject({ code: 'CONFIRMATION_INVALID' });
  });

  test.each(replies.refusals)('refusal $fields.code', ({ frame, fields }) => {
    const parsed = parseMakReply(payloadOf(frame));
    if (!parsed.ok) expect.fail(parsed.problem.message);
    expect(withHex(parsed.reply)).toEqual(fields);
    expect(hex(encodeFrame(FrameType.makReply, encodeMakReply(parsed.reply)))).toBe(frame);
  });

  test.each(replies.broken)('broken reply: $reason', ({ frame, field }) => {
    const parsed = parseMakReply(payloadOf(frame));
    if (parsed.ok) expect.fail('it was taken');
    expect(parsed.problem.field).toBe(field);
  });
});
