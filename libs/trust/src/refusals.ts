import { MusterError } from '@muster/product-groups';

/** The codes that this library refuses with (DESIGN 2.4). */
export type RefusalCode = 'UNTRUSTED_HOST' | 'DOCUMENT_INVALID' | 'CONFIRMATION_INVALID';

/** A MusterError of this library. `cause` is left out rather than set to undefined. */
export function refusal(code: RefusalCode, message: string, remedy: string, cause?: unknown): MusterError {
  return new MusterError({ code, message, remedy, ...(cause === undefined ? {} : { cause }) });
}
