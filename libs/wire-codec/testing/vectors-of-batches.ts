import { createHash } from 'node:crypto';
import { type BatchProof, signBatch } from '@muster/trust';
import { gateway } from './fixtures.ts';
import { hex } from './hex.ts';

const empty: Uint8Array = new Uint8Array();
const context = Buffer.from('muster/activation-result/v1\0');

/** Signed batches with every step of their construction, made here once more and independently of libs/trust. */
export function batchVectors() {
  const texts = ['alpha', 'beta', 'gamma', 'delta', 'epsilon'].map((text) => Buffer.from(text));
  const three = signBatch(texts.slice(0, 3), gateway);
  const [alpha = empty, beta = empty] = texts;
  const proof = three[1] as BatchProof;
  const [one = empty, two = empty] = proof.path;
  const inner = Buffer.concat([sha256(0, alpha), sha256(0, beta)]);
  const broken: readonly (readonly [string, Uint8Array, BatchProof])[] = [
    ['The message is another one.', Buffer.from('Beta'), proof],
    ['The leaf index is that of the neighbour.', beta, { ...proof, leafIndex: 0 }],
    ['A bit of the leaf index is left over.', beta, { ...proof, leafIndex: 5 }],
    ['The path is too short.', beta, { ...proof, path: [one] }],
    ['The path is too long.', beta, { ...proof, path: [one, two, new Uint8Array(32)] }],
    ['The path has more than 8 entries.', beta, { ...proof, path: new Array<Uint8Array>(9).fill(one) }],
    ['The path is in the wrong order.', beta, { ...proof, path: [two, one] }],
    ['A path entry has 31 bytes.', beta, { ...proof, path: [one, two.subarray(1)] }],
    ['An inner node is shown as a leaf.', inner, { ...proof, leafIndex: 0, path: [two] }],
    ['The proof is that of another batch.', beta, signBatch(texts.slice(3), gateway)[0] as BatchProof],
    ['The signature has 63 bytes.', beta, { ...proof, signature: proof.signature.subarray(1) }],
    ['The signature is all zero.', beta, { ...proof, signature: new Uint8Array(64) }],
  ];
  return {
    publicKey: hex(gateway.publicKey),
    context: hex(context),
    batches: [1, 2, 3, 5].map((count) => batch(texts.slice(0, count))),
    broken: broken.map(([reason, message, wrong]) => ({ reason, message: hex(message), proof: proofVector(wrong) })),
  };
}

function batch(messages: readonly Uint8Array[]) {
  let level = messages.map((message) => sha256(0, message));
  const levels = [level];
  while (level.length > 1) {
    if (level.length % 2 === 1) level.push(Buffer.alloc(32));
    const lower = level;
    level = lower.flatMap((left, index) => (index % 2 === 0 ? [sha256(1, left, lower[index + 1] ?? empty)] : []));
    levels.push(level);
  }
  const [root = empty] = level;
  return {
    messages: messages.map(hex),
    levels: levels.map((nodes) => nodes.map(hex)),
    signedBytes: hex(Buffer.concat([context, root])),
    proofs: signBatch(messages, gateway).map(proofVector),
  };
}

function proofVector({ signature, leafIndex, path }: BatchProof) {
  return { signature: hex(signature), leafIndex, path: path.map(hex) };
}

function sha256(prefix: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return createHash('sha256')
    .update(Buffer.concat([Uint8Array.of(prefix), ...parts]))
    .digest();
}
