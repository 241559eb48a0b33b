import { type ErrorCode, MusterError } from '@muster/product-groups';

/** What an unsigned answer says. */
export interface Advice {
  readonly code: ErrorCode;
  readonly message: string;
  readonly remedy: string;
  /** Milliseconds. */
  readonly retryAfterMs?: number;
}

/**
 * A host answered with an ErrorReply, or refused a MAK. Both are unsigned, so they are advice and prove nothing: the
 * request counts as not answered (DESIGN 5), and another host may be asked.
 */
export class AdvisedError extends MusterError {
  /** How long the host asks to be left alone, milliseconds; 0 when it does not say. */
  readonly retryAfterMs: number;

  constructor(reply: Advice) {
    super({ code: reply.code, message: reply.message, remedy: reply.remedy });
    this.retryAfterMs = reply.retryAfterMs ?? 0;
  }
}
