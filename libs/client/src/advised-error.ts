import { MusterError } from '@muster/product-groups';
import type { ErrorReply } from '@muster/wire-codec';

/**
 * A host answered with an ErrorReply. It is unsigned, so it is advice and proves nothing: the request counts as not
 * answered (DESIGN 5), and another host may be asked.
 */
export class AdvisedError extends MusterError {
  /** How long the host asks to be left alone, milliseconds; 0 when it does not say. */
  readonly retryAfterMs: number;

  constructor(reply: ErrorReply) {
    super({ code: reply.code, message: reply.message, remedy: reply.remedy });
    this.retryAfterMs = reply.retryAfterMs ?? 0;
  }
}
