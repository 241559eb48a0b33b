import { Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { describeCode, type ErrorCode, MusterError } from '@muster/product-groups';

/** How errors cross gRPC: a MusterError with its code, message and remedy, any other without a word of the inside. */

const codeKey = 'muster-code';
const remedyKey = 'muster-remedy-bin';

const statusOf: Partial<Record<ErrorCode, status>> = {
  UNAVAILABLE: status.UNAVAILABLE,
  RATE_LIMITED: status.RESOURCE_EXHAUSTED,
  NOT_AUTHORISED: status.PERMISSION_DENIED,
  INPUT_INVALID: status.INVALID_ARGUMENT,
};

/** What a server answers when a call failed. */
export function toStatus(error: unknown): Partial<ServiceError> & Error {
  const metadata = new Metadata();
  if (!(error instanceof MusterError)) {
    return Object.assign(new Error('The service failed.', { cause: error }), { code: status.INTERNAL, metadata });
  }
  metadata.set(codeKey, error.code);
  metadata.set(remedyKey, Buffer.from(error.remedy));
  return Object.assign(new Error(error.message, { cause: error }), {
    code: statusOf[error.code] ?? status.FAILED_PRECONDITION,
    details: error.message,
    metadata,
  });
}

/**
 * What the caller of a failed call is told.
 *
 * @param deadlineMs how long the call could take; undefined where there was no limit.
 */
export function fromStatus(error: Error | ServiceError, deadlineMs?: number): MusterError {
  if (!('metadata' in error)) return unavailable(sentence('The service did not answer', error.message), error);
  const code = error.metadata.get(codeKey)[0];
  if (typeof code !== 'string') return fromPlainStatus(error, deadlineMs);
  // A newer version may have codes that this one does not know; its own words say what it means.
  const remedy = error.metadata.get(remedyKey)[0]?.toString() ?? describeCode(code as ErrorCode)?.remedy ?? '';
  return new MusterError({ code: code as ErrorCode, message: error.details, remedy, cause: error });
}

/** A status that no service of Muster gave, but the library, the network or something between. */
function fromPlainStatus(error: ServiceError, deadlineMs: number | undefined): MusterError {
  const { details } = error;
  switch (error.code) {
    case status.DEADLINE_EXCEEDED: {
      const limit = deadlineMs === undefined ? 'in time' : `within ${deadlineMs / 1_000} seconds`;
      return unavailable(`The service did not answer ${limit}.`, error);
    }
    case status.UNAVAILABLE:
      return unavailable(sentence('The service cannot be reached', reasonOf(details)), error);
    case status.CANCELLED:
      return unavailable('The call was broken off before it was answered.', error);
    case status.UNIMPLEMENTED:
      return unavailable('The service does not know this call: it is of another release.', error);
    case status.INTERNAL:
    case status.UNKNOWN:
      return unavailable('The service failed while it answered.', error);
    case status.PERMISSION_DENIED:
    case status.UNAUTHENTICATED:
      return new MusterError({
        code: 'NOT_AUTHORISED',
        message: sentence('The service refuses this caller', details),
        cause: error,
      });
    case status.RESOURCE_EXHAUSTED:
      return tooMuch(details, error);
    default:
      return unavailable(sentence('The service did not answer', details), error);
  }
}

/** The library has one status for a message that is too large and for a peer that asks to be left alone. */
function tooMuch(details: string, cause: ServiceError): MusterError {
  if (/message larger than max/i.test(details)) {
    return new MusterError({
      code: 'INPUT_INVALID',
      message: 'The message is larger than services take from each other, which is 1 MiB.',
      remedy: 'Send or ask for less at once.',
      cause,
    });
  }
  return new MusterError({
    code: 'RATE_LIMITED',
    message: sentence('The service has too much to do', details),
    remedy: 'Try again later.',
    cause,
  });
}

/** The cause of a connection that failed, out of what the library wraps around it. */
function reasonOf(details: string): string {
  const last = /^.*Last error: (?:Error: )?(.*?)(?:\. Resolution note.*)?$/s.exec(details)?.[1];
  return (last ?? details).replace(/ \(\d{4}-\d\d-\d\dT[^)]*\)/g, '');
}

function unavailable(message: string, cause: Error): MusterError {
  return new MusterError({ code: 'UNAVAILABLE', message, cause });
}

/** One sentence of what happened and why, where that is known. */
function sentence(what: string, why: string): string {
  const reason = why.trim();
  if (reason === '') return `${what}.`;
  return /[.!?]$/.test(reason) ? `${what}: ${reason}` : `${what}: ${reason}.`;
}
