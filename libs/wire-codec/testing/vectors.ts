import { batchVectors } from './vectors-of-batches.ts';
import { documentVectors } from './vectors-of-documents.ts';
import { errorVectors, frameVectors } from './vectors-of-frames.ts';
import { keyVectors } from './vectors-of-keys.ts';
import { makVectors } from './vectors-of-mak.ts';
import { replyVectors } from './vectors-of-replies.ts';
import { requestVectors } from './vectors-of-requests.ts';

/** Where the vectors lie. */
export const vectorDirectory = new URL('../../../proto/testdata/', import.meta.url);

/** Every vector by the name of its file: always the same, because seeds, times and ids are fixed. */
export async function makeVectors() {
  return {
    'keys.json': keyVectors(),
    'documents.json': await documentVectors(),
    'frames.json': frameVectors(),
    'errors.json': errorVectors(),
    'requests.json': requestVectors(),
    'batches.json': batchVectors(),
    'replies.json': await replyVectors(),
    'mak.json': await makVectors(),
  };
}

/** The text of a vector file. */
export function vectorText(content: unknown): string {
  return `${JSON.stringify(content, undefined, 2)}\n`;
}
