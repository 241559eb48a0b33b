import type { VendorAuthority } from '@muster/contracts/vendor';
import { type ErrorCode, MusterError } from '@muster/product-groups';
import type { Clock, Logger } from '@muster/service-kit';
import {
  encodeMakReply,
  FrameType,
  isMakRefusalCode,
  type MakReply,
  parseMakRequest,
  type ReceivedMakRequest,
} from '@muster/wire-codec';
import type { Connection } from './connection.ts';
import { type ErrorDetails, ErrorReplies } from './error-replies.ts';
import type { GatewayLimits } from './limits.ts';
import { RetryAdvice } from './retry-advice.ts';
import { type GatewayStatistics, increment } from './statistics.ts';

/** The part of an authority that a gateway calls. */
export type MakAuthority = Pick<VendorAuthority, 'confirmInstallation'>;

/** What a desk is built from. */
export interface MakDeskParts {
  readonly authority: MakAuthority;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: GatewayLimits;
  readonly statistics: GatewayStatistics;
}

/** How an authority is reached. */
export interface MakDeskState {
  /** Requests that wait for it. */
  readonly inFlight: number;
  /** Why it did not answer the last request that came to an end; undefined when it did, or none was made. */
  readonly problem: string | undefined;
}

/** A request that waits for the authority. */
interface WaitingMak {
  readonly connection: Connection;
  readonly nonce: Uint8Array;
  readonly deadlineMs: number;
}

/**
 * Takes MAK requests (frame types 3 and 4) in front of a vendor's authority, one call each: no batches, because the
 * authority limits guessing by the address of each. What it confirms is signed by the vendor, so nothing is signed here.
 *
 * A request that the authority does not answer in time is answered UNAVAILABLE. It may have been confirmed all the same:
 * asked again, the authority gives the same confirmation and uses nothing.
 */
export class MakDesk {
  readonly #parts: MakDeskParts;
  readonly #retryAdvice = new RetryAdvice();
  readonly #errors: ErrorReplies;
  /** In the order of their deadlines. */
  readonly #waiting = new Set<WaitingMak>();
  #problem: string | undefined;

  constructor(parts: MakDeskParts) {
    this.#parts = parts;
    this.#errors = new ErrorReplies(parts.statistics, () => this.retryAfterMs());
  }

  get state(): MakDeskState {
    return { inFlight: this.#waiting.size, problem: this.#problem };
  }

  /** How long a client is asked to wait, milliseconds. */
  retryAfterMs(): number {
    return this.#retryAdvice.nextMs();
  }

  /** Takes the payload of a frame. */
  take(connection: Connection, payload: Uint8Array): void {
    const { limits, clock, statistics } = this.#parts;
    const parsed = parseMakRequest(payload);
    if (!parsed.ok) {
      const { message, remedy } = parsed.problem;
      this.#errors.send(connection, 'MALFORMED_REQUEST', { message, remedy, nonce: parsed.nonce });
      return;
    }
    const { request } = parsed;
    if (this.#waiting.size >= limits.makInFlight) {
      increment(statistics.limits, 'in-flight');
      this.#errors.send(connection, 'RATE_LIMITED', { nonce: request.nonce });
      return;
    }
    const deadlineMs = clock.monotonicMs() + limits.authorityMs;
    const waiting = { connection, nonce: request.nonce, deadlineMs };
    this.#waiting.add(waiting);
    connection.begin();
    this.#ask(waiting, request);
  }

  /** Answers UNAVAILABLE where the authority has taken too long. */
  sweep(): void {
    const nowMs = this.#parts.clock.monotonicMs();
    for (const waiting of this.#waiting) {
      if (waiting.deadlineMs > nowMs) return;
      this.#waiting.delete(waiting);
      this.#fail(waiting, 'the authority did not answer in time');
    }
  }

  async #ask(waiting: WaitingMak, request: ReceivedMakRequest): Promise<void> {
    const { productKey, application, edition, installationId } = request;
    try {
      const { confirmation } = await this.#parts.authority.confirmInstallation({
        productKey,
        application,
        installation: { edition, installationId },
        remoteAddress: waiting.connection.remoteAddress,
      });
      if (this.#waiting.delete(waiting)) this.#confirm(waiting, confirmation);
    } catch (error) {
      if (this.#waiting.delete(waiting)) this.#refuse(waiting, error);
    }
  }

  #confirm(waiting: WaitingMak, confirmation: string): void {
    try {
      this.#reply(waiting, { nonce: waiting.nonce, code: 'GRANTED', confirmation });
    } catch (error) {
      this.#fail(waiting, 'the authority has sent a confirmation that is none', error);
    }
  }

  #refuse(waiting: WaitingMak, error: unknown): void {
    const { nonce } = waiting;
    const { code, message, remedy } = error instanceof MusterError ? error : unexpected;
    if (isMakRefusalCode(code)) {
      this.#reply(waiting, { nonce, code, message, remedy });
    } else if (code === 'RATE_LIMITED' || code === 'INPUT_INVALID') {
      // It has answered: too much was guessed from this address, or the installation is another edition's.
      this.#answered();
      this.#error(waiting, code === 'INPUT_INVALID' ? 'MALFORMED_REQUEST' : code, { message, remedy, nonce });
    } else {
      this.#fail(waiting, describe(code), error);
    }
  }

  #reply(waiting: WaitingMak, reply: MakReply): void {
    const payload = encodeMakReply(reply);
    this.#answered();
    increment(this.#parts.statistics.makResults, reply.code);
    waiting.connection.send(FrameType.makReply, payload, true);
    waiting.connection.flush(this.#parts.clock.monotonicMs());
  }

  #answered(): void {
    this.#retryAdvice.succeeded();
    this.#problem = undefined;
  }

  /** What is wrong inside is told to nobody outside. */
  #fail(waiting: WaitingMak, problem: string, error?: unknown): void {
    this.#retryAdvice.failed();
    // Said once: an authority that stays away must not fill the log.
    if (problem !== this.#problem) this.#parts.logger.warn({ err: error, problem }, 'MAK requests are not answered');
    this.#problem = problem;
    const message = "The vendor's authority cannot answer at the moment.";
    const remedy = 'Ask again after the time that the answer names: nothing is used twice.';
    this.#error(waiting, 'UNAVAILABLE', { message, remedy, nonce: waiting.nonce });
  }

  #error(waiting: WaitingMak, code: Parameters<ErrorReplies['send']>[1], details: ErrorDetails): void {
    this.#errors.send(waiting.connection, code, details, true);
    waiting.connection.flush(this.#parts.clock.monotonicMs());
  }
}

/** An error that nobody has foreseen. */
const unexpected: { readonly code: ErrorCode; readonly message: string; readonly remedy: string } = {
  code: 'UNAVAILABLE',
  message: '',
  remedy: '',
};

function describe(code: ErrorCode): string {
  return code === 'UNAVAILABLE'
    ? 'the authority cannot be reached or did not answer'
    : `the authority refused: ${code}`;
}
