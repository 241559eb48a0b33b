import { closeSync, fdatasyncSync, ftruncateSync, openSync, readFileSync, writeSync } from 'node:fs';
import { MusterError } from '@muster/product-groups';
import { headerOf, type LineFormat, type NamedInstallation, readInstallation, readLines, textOf } from './mak-lines.ts';

/** What the authority has said of an installation: a confirmation, a JWT, or why there is none. */
export type AnsweredInstallation = NamedInstallation &
  ({ readonly confirmation: string } | { readonly code: string; readonly message: string });

/** The file that is carried back. It holds no machine names and nothing secret: a confirmation serves one machine. */
export const confirmationsFormat: LineFormat<AnsweredInstallation> = {
  name: 'muster-mak-confirmations',
  read(value) {
    const installation = readInstallation(value);
    if (typeof installation === 'string') return installation;
    const { confirmation, code, message } = value;
    if (typeof confirmation === 'string') return { ...installation, confirmation };
    if (typeof code === 'string' && typeof message === 'string') return { ...installation, code, message };
    return 'it has neither a confirmation nor a code with its message';
  },
};

/** The file of the answers for a file of installations. */
export function confirmationsFileOf(installationsFile: string): string {
  return `${installationsFile}.confirmed`;
}

/**
 * The last answer of each installation, by its id.
 *
 * @throws MusterError `DOCUMENT_INVALID`.
 */
export function answersIn(text: string, file: string): ReadonlyMap<string, AnsweredInstallation> {
  return new Map(readLines(confirmationsFormat, wholeLines(text), file).map((line) => [line.installationId, line]));
}

/**
 * The answers of an authority in a file that only grows: what is written is on the disk before more is asked for. Of a
 * process that is killed, at most the last line is torn; it is cut off when the file is opened again.
 */
export class ConfirmationsFile {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #answers: Map<string, AnsweredInstallation>;
  #isEmpty: boolean;

  /**
   * Opens a file, and makes it when it is missing.
   *
   * @throws MusterError `DOCUMENT_INVALID` when it holds something else, `OUTPUT_UNWRITABLE`.
   */
  constructor(path: string) {
    this.#path = path;
    const text = readPresent(path);
    const whole = wholeLines(text);
    if (whole === '' && !headerOf(confirmationsFormat).startsWith(text)) {
      throw new MusterError({
        code: 'DOCUMENT_INVALID',
        message: `${path} is there and is no file of MAK confirmations.`,
        remedy: 'Move it away.',
      });
    }
    this.#isEmpty = whole === '';
    this.#answers = this.#isEmpty ? new Map() : new Map(answersIn(whole, path));
    try {
      this.#descriptor = openSync(path, 'a', 0o644);
      if (whole.length < text.length) ftruncateSync(this.#descriptor, Buffer.byteLength(whole));
    } catch (error) {
      throw unwritable(path, error);
    }
  }

  /** The last answer of each installation, by its id. */
  get answers(): ReadonlyMap<string, AnsweredInstallation> {
    return this.#answers;
  }

  /** Adds answers. On the disk when it returns. @throws MusterError `OUTPUT_UNWRITABLE`. */
  append(answers: readonly AnsweredInstallation[]): void {
    const bytes = Buffer.from((this.#isEmpty ? headerOf(confirmationsFormat) : '') + textOf(answers));
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#descriptor, bytes, at);
      fdatasyncSync(this.#descriptor);
    } catch (error) {
      throw unwritable(this.#path, error);
    }
    this.#isEmpty = false;
    for (const each of answers) this.#answers.set(each.installationId, each);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** A text without a last line that has no end. */
function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1);
}

function readPresent(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw unwritable(path, error);
  }
}

function unwritable(path: string, cause: unknown): MusterError {
  const message = `The confirmations cannot be kept in ${path}: ${(cause as Error).message}.`;
  return new MusterError({ code: 'OUTPUT_UNWRITABLE', message, cause });
}
