import type { CountedRequest, Counting } from '@muster/contracts/counting';
import type { LicensingPolicy } from '@muster/contracts/policy';
import { judgeRequest } from '@muster/product-groups';
import type { Clock, Logger } from '@muster/service-kit';
import {
  encodeActivationReply,
  FrameType,
  parseActivationRequest,
  type ReceivedActivationRequest,
  signResults,
} from '@muster/wire-codec';
import { type JudgedRequest, toCountBatch, toResult } from './answer.ts';
import type { Connection } from './connection.ts';
import { CountingLink, type CountingLinkState } from './counting-link.ts';
import { CredentialKeeper } from './credential-keeper.ts';
import { ErrorReplies } from './error-replies.ts';
import type { GatewayLimits } from './limits.ts';
import { PolicyFollower } from './policy-follower.ts';
import { RetryAdvice } from './retry-advice.ts';
import { type GatewayStatistics, increment } from './statistics.ts';

/** What a desk is built from. */
export interface ActivationDeskParts {
  readonly gatewayId: string;
  readonly policy: LicensingPolicy;
  readonly counting: Counting;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: GatewayLimits;
  readonly statistics: GatewayStatistics;
}

/** A request with the connection that waits for its answer. */
interface WaitingRequest extends JudgedRequest {
  readonly connection: Connection;
}

/** Requests are promised an outcome within a second, of which counting has most. */
const linkSweepMs = 50;

/**
 * Takes activation requests (frame type 1): judged against the policy snapshot, counted in batches, answered in signed
 * batches (DESIGN 4.1).
 */
export class ActivationDesk {
  readonly #parts: ActivationDeskParts;
  readonly #credentials: CredentialKeeper;
  readonly #link: CountingLink<WaitingRequest>;
  readonly #policy: PolicyFollower;
  readonly #retryAdvice = new RetryAdvice();
  readonly #errors: ErrorReplies;
  #inFlight = 0;
  #linkSweeper: NodeJS.Timeout | undefined;

  constructor(parts: ActivationDeskParts) {
    this.#parts = parts;
    this.#policy = new PolicyFollower(parts);
    this.#credentials = new CredentialKeeper(parts.policy, parts.gatewayId, parts.clock, parts.logger);
    this.#link = new CountingLink<WaitingRequest>({
      counting: parts.counting,
      clock: parts.clock,
      logger: parts.logger,
      toBatch: (batchId, items) => toCountBatch(batchId, parts.gatewayId, items),
      outcome: {
        answered: (items, results) => this.#answer(items, results),
        failed: (items, reason) => this.#refuse(items, reason),
      },
      batchRequests: parts.limits.batchRequests,
      lanes: parts.limits.countingLanes,
      deadlineMs: parts.limits.countingMs,
    });
    this.#errors = new ErrorReplies(parts.statistics, () => this.retryAfterMs());
  }

  /** How counting is reached. */
  get counting(): CountingLinkState {
    return this.#link.state;
  }

  /** When the present credential ends, milliseconds since 1970; 0 while there is none. */
  get credentialExpiresAtMs(): number {
    return this.#credentials.current(this.#parts.clock.nowMs())?.expiresAtMs ?? 0;
  }

  /** How long a client is asked to wait, milliseconds. */
  retryAfterMs(): number {
    return this.#retryAdvice.nextMs();
  }

  /** Gets a snapshot and a credential. */
  async start(): Promise<void> {
    this.#link.start();
    this.#linkSweeper = setInterval(() => this.#link.sweep(), linkSweepMs);
    await this.#policy.start();
    await this.#credentials.renewWhenDue();
  }

  /** Enforces every time limit by the clock. */
  sweep(): void {
    this.#link.sweep();
    this.#credentials.renewWhenDue();
  }

  /** Says that a connection was taken, and requests may follow. */
  expectMore(): void {
    this.#link.expectMore();
  }

  /** Follows the policy no more; what has been asked is answered. */
  stopFollowing(): void {
    this.#policy.stop();
  }

  /** Ends what is left. */
  close(): void {
    clearInterval(this.#linkSweeper);
    this.#link.close();
  }

  /** Takes the payload of a frame. */
  take(connection: Connection, payload: Uint8Array): void {
    const parsed = parseActivationRequest(payload);
    if (!parsed.ok) {
      const { message, remedy } = parsed.problem;
      this.#errors.send(connection, 'MALFORMED_REQUEST', { message, remedy, nonce: parsed.nonce });
      return;
    }
    const { request } = parsed;
    const obstacle = this.#obstacle();
    if (obstacle !== undefined) {
      this.#errors.send(connection, obstacle, { nonce: request.nonce });
      return;
    }
    const judged = this.#judge(request);
    if (judged === undefined) {
      this.#errors.send(connection, 'HOST_NOT_ACTIVATED', { nonce: request.nonce });
      return;
    }
    connection.begin();
    this.#inFlight += 1;
    this.#link.submit({ ...judged, remoteAddress: connection.remoteAddress, connection });
  }

  /** Why no request can be taken at this moment. */
  #obstacle(): 'HOST_NOT_ACTIVATED' | 'UNAVAILABLE' | 'RATE_LIMITED' | undefined {
    if (this.#inFlight >= this.#parts.limits.inFlight) {
      increment(this.#parts.statistics.limits, 'in-flight');
      return 'RATE_LIMITED';
    }
    const nowMs = this.#parts.clock.nowMs();
    if (this.#policy.view === undefined) return 'UNAVAILABLE';
    if (this.#policy.view.coverageAt(nowMs).size === 0) return 'HOST_NOT_ACTIVATED';
    return this.#credentials.current(nowMs) === undefined ? 'UNAVAILABLE' : undefined;
  }

  #judge(request: ReceivedActivationRequest): Omit<JudgedRequest, 'remoteAddress'> | undefined {
    const view = this.#policy.view;
    if (view?.catalogue === undefined) return undefined;
    const nowMs = this.#parts.clock.nowMs();
    const host = { catalogue: view.catalogue, coverage: view.coverageAt(nowMs), nowMs };
    return { request, judgement: judgeRequest(host, request), view };
  }

  #answer(items: readonly WaitingRequest[], counted: readonly CountedRequest[]): void {
    this.#retryAdvice.succeeded();
    const nowMs = this.#parts.clock.nowMs();
    const credential = this.#credentials.current(nowMs);
    if (credential === undefined) {
      this.#refuse(items, "The gateway's credential has ended.");
      return;
    }
    const results = items.map((item, index) => toResult(item, counted[index] ?? missingAnswer(), nowMs));
    const signed = signResults(results, credential.key);
    const touched = new Set<Connection>();
    for (const [index, { connection, request, view }] of items.entries()) {
      const { signedBody, proof } = signed[index] ?? missingAnswer();
      // The last key may have expired while the request was counted: nothing proves an answer then.
      const certificate = view.certificateFor(request.application, request.edition, nowMs);
      if (certificate === undefined) {
        this.#errors.send(connection, 'HOST_NOT_ACTIVATED', { nonce: request.nonce }, true);
        touched.add(connection);
        continue;
      }
      const reply = encodeActivationReply({
        signedBody,
        proof,
        ...(connection.sentCredential === credential.jwt ? {} : { gatewayCredential: credential.jwt }),
        ...(connection.sentCertificate === certificate ? {} : { hostCertificate: certificate }),
      });
      connection.sentCredential = credential.jwt;
      connection.sentCertificate = certificate;
      connection.send(FrameType.activationReply, reply, true);
      increment(this.#parts.statistics.results, results[index]?.code ?? missingAnswer());
      touched.add(connection);
    }
    this.#finish(items, touched);
  }

  #refuse(items: readonly WaitingRequest[], reason: string): void {
    const touched = new Set<Connection>();
    this.#retryAdvice.failed();
    // Whoever found what is wrong has told it once; a line for each batch would be a flood of them.
    this.#parts.logger.debug({ requests: items.length, reason }, 'requests were answered UNAVAILABLE');
    for (const { connection, request } of items) {
      this.#errors.send(connection, 'UNAVAILABLE', { message: reason, nonce: request.nonce }, true);
      touched.add(connection);
    }
    this.#finish(items, touched);
  }

  #finish(items: readonly WaitingRequest[], touched: ReadonlySet<Connection>): void {
    this.#inFlight -= items.length;
    const nowMs = this.#parts.clock.monotonicMs();
    for (const connection of touched) connection.flush(nowMs);
  }
}

function missingAnswer(): never {
  throw new Error('a batch was answered with fewer results than it had requests');
}
