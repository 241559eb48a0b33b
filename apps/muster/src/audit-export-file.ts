import { createReadStream } from 'node:fs';
import { MusterError } from '@muster/product-groups';
import type { AuditEntry } from '@muster/trust';

/**
 * The audit trail as a file: a line of JSON for each record, from the first one on. `record` is the text that the hash
 * was made over and not an object, so that a record that somebody has spoilt is exported as it stands, too.
 *
 * ```json
 * {"record":"{\"sequence\":1,\"atUnixMs\":1795521600000,…}","hash":"b0c1…"}
 * ```
 */
const mostLineCharacters = 1024 * 1024;
const hashPattern = /^[0-9a-f]{64}$/;

/** A line of an export, with its end. */
export function formatAuditLine({ record, hash }: AuditEntry): string {
  return `${JSON.stringify({ record, hash: Buffer.from(hash).toString('hex') })}\n`;
}

/**
 * Reads an export.
 *
 * @param file its name, or `-` for standard input.
 * @throws MusterError `INPUT_INVALID` when it cannot be read, `DOCUMENT_INVALID` with the line that is none, and when
 * there is no line at all.
 */
export async function* readAuditExport(file: string): AsyncIterable<AuditEntry> {
  const name = file === '-' ? 'Standard input' : file;
  let number = 0;
  for await (const line of linesOf(file, name)) {
    number += 1;
    yield parseLine(line) ?? refuse(`${name} is no audit export, or was cut or changed: line ${number} is no record`);
  }
  if (number === 0) refuse(`${name} is empty, and no audit trail is`);
}

function parseLine(line: string): AuditEntry | undefined {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Object.keys(value).length !== 2) return undefined;
  const { record, hash } = value as { readonly record?: unknown; readonly hash?: unknown };
  if (typeof record !== 'string' || typeof hash !== 'string' || !hashPattern.test(hash)) return undefined;
  return { record, hash: new Uint8Array(Buffer.from(hash, 'hex')) };
}

async function* linesOf(file: string, name: string): AsyncIterable<string> {
  const stream = file === '-' ? process.stdin : createReadStream(file);
  stream.setEncoding('utf8');
  let rest = '';
  for await (const text of textOf(stream, name)) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
    if (rest.length > mostLineCharacters) refuse(`${name} is no audit export: a line of it is far too long`);
  }
  if (rest !== '') yield rest;
}

async function* textOf(stream: AsyncIterable<string>, name: string): AsyncIterable<string> {
  try {
    yield* stream;
  } catch (error) {
    throw new MusterError({
      code: 'INPUT_INVALID',
      message: `${name} cannot be read: ${(error as Error).message}.`,
      remedy: 'Name a file that this user may read, or - for standard input.',
      cause: error,
    });
  }
}

function refuse(problem: string): never {
  throw new MusterError({
    code: 'DOCUMENT_INVALID',
    message: `${problem}.`,
    remedy: 'Take the file as `muster audit export` wrote it, or export the trail again.',
  });
}
