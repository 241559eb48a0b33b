import { hash } from 'node:crypto';

/** Length of every hash in the tree: SHA-256. */
export const hashBytes = 32;

// Leaves and inner nodes are hashed under different first bytes, so that none can pass for the other (RFC 6962, 2.1).
const leafPrefix = 0x00;
const nodePrefix = 0x01;

// Used again for every node: hashing is synchronous, and a batch of 256 has 255 nodes.
const nodeInput = Uint8Array.of(nodePrefix, ...new Uint8Array(2 * hashBytes));

const padding: Uint8Array = new Uint8Array(hashBytes);

/** The hash of a leaf: SHA-256(0x00 || message). */
export function leafHash(message: Uint8Array): Uint8Array {
  const input = Buffer.allocUnsafe(1 + message.length);
  input[0] = leafPrefix;
  input.set(message, 1);
  return hash('sha256', input, 'buffer');
}

/** The hash of an inner node: SHA-256(0x01 || left || right), 32 bytes each. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  nodeInput.set(left, 1);
  nodeInput.set(right, 1 + hashBytes);
  return hash('sha256', nodeInput, 'buffer');
}

/** Every level of the tree, from the leaves (first) to the root (last, alone). */
export type MerkleLevels = readonly (readonly Uint8Array[])[];

/**
 * Builds the tree over at least one message. A level with an odd number of nodes, other than the root, gets one
 * padding node of 32 zero bytes at its end.
 */
export function merkleLevels(messages: readonly Uint8Array[]): MerkleLevels {
  let level = messages.map(leafHash);
  const levels = [level];
  while (level.length > 1) {
    if (level.length % 2 === 1) level.push(padding);
    const above: Uint8Array[] = [];
    for (let index = 0; index < level.length; index += 2) {
      above.push(nodeHash(level[index] ?? padding, level[index + 1] ?? padding));
    }
    levels.push(above);
    level = above;
  }
  return levels;
}

/** The neighbours of a leaf from the bottom to below the root: what a reader needs to find the root again. */
export function merklePath(levels: MerkleLevels, leafIndex: number): readonly Uint8Array[] {
  const path: Uint8Array[] = [];
  for (let height = 0; height < levels.length - 1; height += 1) {
    path.push(levels[height]?.[(leafIndex >> height) ^ 1] ?? padding);
  }
  return path;
}

/** The root that a leaf and its path lead to. Bit `n` of the index, lowest first, is 1 where the neighbour is left. */
export function rootFrom(leaf: Uint8Array, leafIndex: number, path: readonly Uint8Array[]): Uint8Array {
  return path.reduce(
    (node, neighbour, height) =>
      ((leafIndex >> height) & 1) === 1 ? nodeHash(neighbour, node) : nodeHash(node, neighbour),
    leaf,
  );
}
