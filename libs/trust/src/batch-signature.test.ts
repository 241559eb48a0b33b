import { createHash, sign, verify } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gateway, host } from '../test/fixtures.ts';
import { type BatchProof, signBatch, verifyBatchProof } from './index.ts';
import { leafHash, merkleLevels, merklePath, nodeHash } from './merkle-tree.ts';
import { publicKeyObject } from './public-key.ts';

const messagesOf = (count: number, name = 'message') =>
  Array.from({ length: count }, (_, index) => Buffer.from(`${name} ${index}`));

function proved(message: Uint8Array | undefined, proof: BatchProof | undefined, key = gateway): boolean {
  if (message === undefined || proof === undefined) throw new Error('no such message');
  return verifyBatchProof(message, proof, key.publicKey);
}

function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  return createHash('sha256').update(Buffer.concat(parts)).digest();
}

describe('a batch', () => {
  test.each([1, 2, 3, 4, 5, 7, 8, 9, 64, 129, 255, 256])('of %i messages proves each of them and no other', (count) => {
    const messages = messagesOf(count);
    const proofs = signBatch(messages, gateway);
    expect(proofs).toHaveLength(count);
    expect(proofs[0]?.path).toHaveLength(Math.ceil(Math.log2(count)));
    for (const [index, message] of messages.entries()) {
      expect(proofs[index]?.leafIndex).toBe(index);
      expect(proved(message, proofs[index])).toBe(true);
      if (count > 1) expect(proved(message, proofs[(index + 1) % count])).toBe(false);
      expect(proved(message, proofs[index], host)).toBe(false);
    }
  });

  test('of three has the tree that docs/protocol.md draws', () => {
    const [one, two, three] = ['a', 'b', 'c'].map((text) => Buffer.from(text)) as [Buffer, Buffer, Buffer];
    const leaf = (message: Buffer) => sha256(Buffer.of(0), message);
    const node = (left: Uint8Array, right: Uint8Array) => sha256(Buffer.of(1), left, right);
    const right = node(leaf(three), Buffer.alloc(32));
    const root = node(node(leaf(one), leaf(two)), right);
    const proofs = signBatch([one, two, three], gateway);
    expect(proofs[1]?.path.map((entry) => Buffer.from(entry).toString('hex'))).toEqual(
      [leaf(one), right].map((entry) => Buffer.from(entry).toString('hex')),
    );
    const signed = Buffer.concat([Buffer.from('muster/activation-result/v1\0'), root]);
    const signature = proofs[0]?.signature ?? Buffer.alloc(0);
    expect(verify(null, signed, publicKeyObject(gateway.publicKey), signature)).toBe(true);
  });

  test('of any messages proves each', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 20 }), (messages) => {
        const proofs = signBatch(messages, gateway);
        return messages.every((message, index) => proved(message, proofs[index]));
      }),
      { numRuns: 50 },
    );
  });

  test('of none or 257 is a mistake of the caller', () => {
    expect(() => signBatch([], gateway)).toThrow(RangeError);
    expect(() => signBatch(messagesOf(257), gateway)).toThrow(RangeError);
  });
});

describe('a proof is refused', () => {
  const messages = messagesOf(5);
  const proofs = signBatch(messages, gateway);
  const message = messages[2] as Buffer;
  const proof = proofs[2] as BatchProof;

  test('after any bit of it or of the message was flipped', () => {
    const flip = (bytes: Uint8Array, bit: number) => {
      const changed = new Uint8Array(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return changed;
    };
    const bits = (bytes: Uint8Array) => Array.from({ length: bytes.length * 8 }, (_, bit) => bit);
    expect(proved(message, proof)).toBe(true);
    expect(bits(message).filter((bit) => proved(flip(message, bit), proof))).toEqual([]);
    const signature = bits(proof.signature).filter((bit) =>
      proved(message, { ...proof, signature: flip(proof.signature, bit) }),
    );
    expect(signature).toEqual([]);
    for (const [entry, bytes] of proof.path.entries()) {
      const accepted = bits(bytes).filter((bit) =>
        proved(message, { ...proof, path: proof.path.with(entry, flip(bytes, bit)) }),
      );
      expect(accepted).toEqual([]);
    }
    for (let bit = 0; bit < 32; bit += 1) {
      expect(proved(message, { ...proof, leafIndex: (proof.leafIndex ^ (1 << bit)) >>> 0 })).toBe(false);
    }
  });

  test('when an inner node is shown as a leaf', () => {
    const levels = merkleLevels(messages);
    const [left, right] = levels[0] as readonly [Uint8Array, Uint8Array];
    const inner = nodeHash(left, right);
    for (const shown of [inner, Buffer.concat([left, right]), Buffer.concat([Buffer.of(1), left, right])]) {
      expect(proved(shown, { ...proof, leafIndex: 0, path: (proofs[0] as BatchProof).path.slice(1) })).toBe(false);
    }
    const root = levels.at(-1)?.[0] as Uint8Array;
    expect(proved(root, { ...proof, leafIndex: 0, path: [] })).toBe(false);
    expect(proved(Buffer.alloc(32), { ...proof, leafIndex: 5 })).toBe(false);
  });

  test('when the path is shorter, longer or swapped', () => {
    const [first, second, third] = proof.path as readonly [Uint8Array, Uint8Array, Uint8Array];
    const wrong = [
      [],
      [first],
      [first, second],
      [second, third],
      [first, second, third, third],
      [first, second, third, new Uint8Array(32)],
      [second, first, third],
      [first, third, second],
      [leafHash(message), second, third],
      [...proof.path, ...proof.path, ...proof.path],
      [first, second, third.subarray(1)],
      [first, second, new Uint8Array(33)],
      [new Uint8Array(0), first, second, third],
    ];
    for (const path of wrong) {
      for (let leafIndex = 0; leafIndex < 16; leafIndex += 1) {
        expect(proved(message, { ...proof, leafIndex, path })).toBe(false);
      }
    }
  });

  test('when the tree is true but higher than a batch of 256', () => {
    const many = messagesOf(512);
    const levels = merkleLevels(many);
    const root = levels.at(-1)?.[0] as Uint8Array;
    const signed = Buffer.concat([Buffer.from('muster/activation-result/v1\0'), root]);
    const high = { signature: sign(null, signed, gateway.privateKey), leafIndex: 300, path: merklePath(levels, 300) };
    expect(high.path).toHaveLength(9);
    expect(proved(many[300], high)).toBe(false);
  });

  test('when the index has bits that the path does not use, or is no index', () => {
    for (const leafIndex of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 10, 18, 2 ** 31 + 2, 2 ** 32 + 2]) {
      expect(proved(message, { ...proof, leafIndex })).toBe(false);
    }
    const [alone] = signBatch([message], gateway);
    expect(proved(message, alone)).toBe(true);
    expect(proved(message, { ...(alone as BatchProof), leafIndex: 1 })).toBe(false);
  });

  test('when the leaf is of another batch, or the signature of another length', () => {
    const other = signBatch(messagesOf(5, 'other'), gateway);
    expect(proved(message, other[2])).toBe(false);
    expect(proved(message, { ...proof, signature: (other[2] as BatchProof).signature })).toBe(false);
    for (const length of [0, 63, 65, 128]) {
      expect(proved(message, { ...proof, signature: new Uint8Array(length) })).toBe(false);
    }
  });

  test('when the signature covers the root without its context', () => {
    const root = merkleLevels(messages).at(-1)?.[0] as Uint8Array;
    expect(proved(message, { ...proof, signature: sign(null, root, gateway.privateKey) })).toBe(false);
    const otherContext = Buffer.concat([Buffer.from('muster/activation-result/v2\0'), root]);
    expect(proved(message, { ...proof, signature: sign(null, otherContext, gateway.privateKey) })).toBe(false);
  });

  test('under any public key, even one that is no point of the curve', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (publicKey) => !verifyBatchProof(message, proof, publicKey)),
      { numRuns: 300 },
    );
  });
});
