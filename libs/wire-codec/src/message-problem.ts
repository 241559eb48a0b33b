import { BinaryReader } from '@bufbuild/protobuf/wire';
import { requireWellFormed } from './well-formed.ts';

/** Why bytes are not the message they should be. */
export interface MessageProblem {
  /** The field of activation.proto, where one is to blame. */
  readonly field?: string;
  /** What was wrong and where, one sentence. */
  readonly message: string;
  /** What to do about it, one sentence. */
  readonly remedy: string;
}

/** Thrown by the checks of this library and caught by its parsers; never leaves them. */
export class ProblemFound extends Error {
  readonly problem: MessageProblem;

  constructor(problem: MessageProblem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** Either the parsed value or the problem. */
export type Parsed<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly problem: MessageProblem };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Decodes a message and parses its fields. Stricter than generated code in two ways: text must be UTF-8, and the
 * fields must fill the message exactly; `embedded` names the fields that are messages themselves. Unknown fields are ignored, so that later versions can add some. Never throws.
 */
export function parseMessage<Message, Value>(
  bytes: Uint8Array,
  maximumBytes: number,
  decode: (reader: BinaryReader) => Message,
  parseFields: (message: Message) => Value,
  embedded: readonly number[] = [],
): Parsed<Value> {
  try {
    if (bytes.length > maximumBytes) {
      fail(undefined, `The message has ${bytes.length} bytes; at most ${maximumBytes} are allowed.`, 'Send less.');
    }
    requireWellFormed(bytes, embedded);
    const message = decode(new BinaryReader(bytes, (text) => utf8.decode(text)));
    return { ok: true, value: parseFields(message) };
  } catch (error) {
    if (error instanceof ProblemFound) return { ok: false, problem: error.problem };
    return { ok: false, problem: undecodable(error) };
  }
}

/** Ends a parse with a problem. */
export function fail(field: string | undefined, message: string, remedy: string): never {
  throw new ProblemFound({ ...(field === undefined ? {} : { field }), message, remedy });
}

// Generated code gives up on an int64 beyond 2^53. Times are the only int64 fields, so the range can be told.
function undecodable(error: unknown): MessageProblem {
  if (error instanceof Error && error.message.includes('SAFE_INTEGER')) {
    return {
      message: 'A time lies outside the years 1970 to 9999.',
      remedy: 'Send times as milliseconds since 1970-01-01T00:00:00Z.',
    };
  }
  return {
    message: 'The bytes are not a protobuf message of this type.',
    remedy: 'Encode it as activation.proto describes it.',
  };
}
