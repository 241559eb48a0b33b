import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { MusterError } from '@muster/product-groups';
import { parseProductKey } from '@muster/trust';

/** More than any product key or confirmation with a letter around it. */
const mostBytes = 64 * 1024;

/**
 * Reads a product key from a file, from standard input (`-`, or a pipe when nothing is named), or from a person, who does
 * not see it while it is typed. Never from the command line, which others see in a list of processes.
 *
 * @throws MusterError `INPUT_INVALID` when there is none, `KEY_INVALID` that says where the typing error probably is.
 */
export async function readProductKey(file: string | undefined): Promise<string> {
  const typed =
    file === undefined && process.stdin.isTTY ? await askUnseen('Product key: ') : await readText(file ?? '-');
  if (typed.trim() === '') {
    throw new MusterError({
      code: 'INPUT_INVALID',
      message: `There is no product key ${file === undefined || file === '-' ? 'in the input' : `in ${file}`}.`,
      remedy: 'Give its five blocks of five characters by standard input or by --key-file FILE.',
    });
  }
  return parseProductKey(typed).text;
}

/**
 * Reads a whole text from a file, or from standard input (`-`).
 *
 * @throws MusterError `INPUT_INVALID` when it cannot be read or is far too long.
 */
export async function readText(file: string): Promise<string> {
  try {
    const text = file === '-' ? await readStandardInput() : readFileSync(file, 'utf8');
    if (Buffer.byteLength(text) <= mostBytes) return text;
  } catch (error) {
    throw new MusterError({
      code: 'INPUT_INVALID',
      message: `${file === '-' ? 'Standard input' : file} cannot be read: ${(error as Error).message}.`,
      remedy: 'Name a file that this user may read, or - for standard input.',
      cause: error,
    });
  }
  throw new MusterError({
    code: 'INPUT_INVALID',
    message: `${file === '-' ? 'Standard input' : file} holds more than ${mostBytes / 1024} KiB, and is none of Muster's texts.`,
    remedy: 'Name the file that holds the text alone.',
  });
}

async function readStandardInput(): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of process.stdin) {
    parts.push(part);
    bytes += part.length;
    if (bytes > mostBytes) break;
  }
  return Buffer.concat(parts).toString('utf8');
}

/** Asks a person on the terminal, and shows nothing of the answer. */
async function askUnseen(question: string): Promise<string> {
  const nothing = new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output: nothing, terminal: true });
  const interrupted = new Promise<string>((_resolve, reject) => {
    terminal.once('SIGINT', () => {
      reject(new MusterError({ code: 'INPUT_INVALID', message: 'No product key was typed.' }));
    });
  });
  process.stderr.write(question);
  try {
    return await Promise.race([terminal.question(''), interrupted]);
  } finally {
    terminal.close();
    process.stderr.write('\n');
  }
}
