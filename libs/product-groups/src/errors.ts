import type { CodeDescription } from './code-description.ts';
import type { LocalErrorCode } from './local-error-codes.ts';
import { localErrorCodes } from './local-error-codes.ts';
import type { ResultCodeName } from './result-codes.ts';
import { resultCodes } from './result-codes.ts';

/** Every code that a Muster error may carry: the results of DESIGN 2.4 and the local ones of tools and services. */
export type ErrorCode = ResultCodeName | LocalErrorCode;

const descriptions: Readonly<Record<ErrorCode, CodeDescription>> = { ...resultCodes, ...localErrorCodes };

/** What a `MusterError` is made from. */
export interface MusterErrorDetails {
  readonly code: ErrorCode;
  /** What went wrong here, in one sentence. */
  readonly message: string;
  /** What to do about it, in one sentence; the remedy of the code's table where it is left out. */
  readonly remedy?: string;
  /** The error that led to this one. */
  readonly cause?: unknown;
}

/**
 * The one family of expected errors (a stable `code`, a `message` and a `remedy` of one sentence each, the `cause`).
 *
 * @example
 * throw new MusterError({ code: 'PORT_IN_USE', message: 'Port 1688 is taken.', remedy: 'Choose another port.' });
 */
export class MusterError extends Error {
  override readonly name = 'MusterError';
  readonly code: ErrorCode;
  readonly remedy: string;

  constructor(details: MusterErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.remedy = details.remedy ?? describeCode(details.code).remedy;
  }
}

/** What the tables say about a code: its meaning, cause and remedy, and Microsoft's nearest code if there is one. */
export function describeCode(code: ErrorCode): CodeDescription {
  return descriptions[code];
}
