import { randomInt } from 'node:crypto';
import type { MusterError } from '@muster/product-groups';
import {
  type ActivationReply,
  type ActivationRequest,
  encodeFrame,
  FrameType,
  parseActivationResult,
  verifyActivationReply,
} from '@muster/wire-codec';
import { beforeAll, describe, expect, test } from 'vitest';
import { hostBetween, hostThatRepeats } from './support/fake-host.ts';
import { desktops, newMachine, range } from './support/machines.ts';
import { frameOf, readReply, requestOf } from './support/raw-connection.ts';
import { startTestSite, type TestSite } from './support/test-site.ts';

let site: TestSite;

beforeAll(async () => {
  site = await startTestSite();
  await site.askEach(desktops(25));
});

/** What happens to a machine that asks elsewhere but believes the site's vendor. */
async function outcomeAt(port: number, vendorKeys = site.vendorKeys): Promise<string> {
  try {
    return (await site.ask(newMachine(), { port, vendorKeys })).code;
  } catch (error) {
    return (error as MusterError).code;
  }
}

describe('a client', () => {
  test('believes its site, also through somebody who changes nothing', async () => {
    expect(await outcomeAt(site.site.activationPort)).toBe('GRANTED');
    expect(await outcomeAt(await hostBetween(site.site.activationPort, ({ payload }) => payload))).toBe('GRANTED');
  });

  test('refuses an old reply to another request', async () => {
    const connection = await site.connectRaw();
    await connection.write(frameOf(requestOf(newMachine(), site.clock.nowMs())));
    const { payload } = await connection.nextFrame();
    connection.destroy();
    expect(await outcomeAt(await hostThatRepeats(encodeFrame(FrameType.activationReply, payload)))).toBe(
      'UNTRUSTED_HOST',
    );
  });

  test('refuses an old reply to the same machine', async () => {
    const machine = newMachine();
    const connection = await site.connectRaw();
    await connection.write(frameOf(requestOf(machine, site.clock.nowMs())));
    const { payload } = await connection.nextFrame();
    connection.destroy();
    const port = await hostThatRepeats(encodeFrame(FrameType.activationReply, payload));
    await expect(site.ask(machine, { port })).rejects.toMatchObject({
      code: 'UNTRUSTED_HOST',
      message: expect.stringContaining('nonce'),
    });
  });

  test('refuses a host of another vendor, and that host serves the clients of its own', async () => {
    const other = await startTestSite({ clock: site.clock });
    await other.askEach(desktops(25));
    expect(await outcomeAt(other.site.activationPort)).toBe('UNTRUSTED_HOST');
    expect(await outcomeAt(other.site.activationPort, other.vendorKeys)).toBe('GRANTED');
    await other.site.stop();
  });

  test('refuses a host that speaks something else', async () => {
    expect(await outcomeAt(await hostThatRepeats(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')))).toBe(
      'UNTRUSTED_HOST',
    );
  });

  test('refuses a reply of which any one byte was changed on its way', async () => {
    let position = 0;
    let length = 1;
    const port = await hostBetween(site.site.activationPort, ({ payload }) => {
      length = payload.length;
      const changed = Buffer.from(payload);
      changed[position] = (changed[position] ?? 0) ^ randomInt(1, 256);
      return changed;
    });
    const machine = newMachine();
    const believed: number[] = [];
    for (; position < length; position += 1) {
      const outcome = await site.ask(machine, { port }).catch((error: MusterError) => error);
      if (!('remedy' in outcome) || outcome.code !== 'UNTRUSTED_HOST') believed.push(position);
    }
    expect(length).toBeGreaterThan(1_000);
    expect(believed).toEqual([]);
  });
});

describe('a reply of a batch of five', () => {
  let request: ActivationRequest;
  let reply: ActivationReply & { readonly gatewayCredential: string; readonly hostCertificate: string };

  beforeAll(async () => {
    const connection = await site.connectRaw();
    const requests = range(1, 5).map(() => requestOf(newMachine(), site.clock.nowMs()));
    await connection.write(Buffer.concat(requests.map(frameOf)));
    const replies = [];
    for (const _ of requests) replies.push(readReply(await connection.nextFrame()));
    connection.destroy();
    const [first] = replies;
    const [, second] = requests;
    const answer = replies.find(({ signedBody }) => {
      const parsed = parseActivationResult(signedBody);
      return parsed.ok && second !== undefined && Buffer.compare(parsed.result.nonce, second.nonce) === 0;
    });
    if (first === undefined || second === undefined || answer === undefined) throw new Error('a reply is missing');
    request = second;
    reply = {
      ...answer,
      gatewayCredential: first.gatewayCredential ?? '',
      hostCertificate: first.hostCertificate ?? '',
    };
  });

  /** The code with which a reply is refused, or that of the result when it is believed. */
  async function verdict(changed: ActivationReply): Promise<string> {
    const { vendorKeys, clock } = site;
    try {
      return (await verifyActivationReply({ reply: changed, request, vendorKeys, nowMs: clock.nowMs() })).code;
    } catch (error) {
      return (error as MusterError).code;
    }
  }

  const flip = (bytes: Uint8Array, position: number): Uint8Array => {
    const changed = Uint8Array.from(bytes);
    changed[position] = (changed[position] ?? 0) ^ randomInt(1, 256);
    return changed;
  };

  const parts: Record<string, (reply: ActivationReply) => { bytes: Uint8Array; put(b: Uint8Array): ActivationReply }> =
    {
      'signed body': (whole) => ({ bytes: whole.signedBody, put: (signedBody) => ({ ...whole, signedBody }) }),
      signature: (whole) => ({
        bytes: whole.proof.signature,
        put: (signature) => ({ ...whole, proof: { ...whole.proof, signature } }),
      }),
      path: (whole) => ({
        bytes: Buffer.concat(whole.proof.path),
        put: (all) => ({
          ...whole,
          proof: {
            ...whole.proof,
            path: whole.proof.path.map((_, index) => all.subarray(index * 32, index * 32 + 32)),
          },
        }),
      }),
      'gateway credential': (whole) => ({
        bytes: Buffer.from(whole.gatewayCredential ?? '', 'latin1'),
        put: (jwt) => ({ ...whole, gatewayCredential: Buffer.from(jwt).toString('latin1') }),
      }),
      'host certificate': (whole) => ({
        bytes: Buffer.from(whole.hostCertificate ?? '', 'latin1'),
        put: (jwt) => ({ ...whole, hostCertificate: Buffer.from(jwt).toString('latin1') }),
      }),
    };

  test('is believed as it is', async () => {
    expect(reply.proof.path).toHaveLength(3);
    expect(await verdict(reply)).toBe('GRANTED');
  });

  test.each(Object.keys(parts))('is refused when any one byte of its %s is another', async (part) => {
    const { bytes, put } = parts[part]?.(reply) ?? { bytes: new Uint8Array(), put: () => reply };
    expect(bytes.length).toBeGreaterThan(60);
    for (const position of bytes.keys()) {
      const verdictOfChanged = await verdict(put(flip(bytes, position)));
      expect({ position, verdictOfChanged }).toEqual({ position, verdictOfChanged: 'UNTRUSTED_HOST' });
    }
  });

  test.each([0, 2, 3, 7, 9, 17, 1 + 2 ** 31])('is refused with the leaf index %i instead of 1', async (leafIndex) => {
    expect(reply.proof.leafIndex).toBe(1);
    expect(await verdict({ ...reply, proof: { ...reply.proof, leafIndex } })).toBe('UNTRUSTED_HOST');
  });

  test('is refused with a path that is shorter or longer', async () => {
    const { path } = reply.proof;
    for (const other of [[], path.slice(1), path.slice(0, -1), [...path, new Uint8Array(32)]]) {
      expect(await verdict({ ...reply, proof: { ...reply.proof, path: other } })).toBe('UNTRUSTED_HOST');
    }
  });
});
