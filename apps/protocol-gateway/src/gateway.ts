import type { CountedRequest, Counting } from '@muster/contracts/counting';
import type { LicensingPolicy } from '@muster/contracts/policy';
import { judgeRequest, type ResultCodeName, resultCodes } from '@muster/product-groups';
import type { Clock, Logger } from '@muster/service-kit';
import {
  encodeActivationReply,
  encodeErrorReply,
  encodePong,
  type Frame,
  type FrameProblem,
  FrameType,
  parseActivationRequest,
  parsePing,
  type ReceivedActivationRequest,
  signResults,
  type WireResultCodeName,
} from '@muster/wire-codec';
import { AddressRates } from './address-rates.ts';
import { type AddressRange, isLoopback } from './addresses.ts';
import { type JudgedRequest, toCountBatch, toResult } from './answer.ts';
import type { Connection } from './connection.ts';
import { CountingLink, type CountingLinkState } from './counting-link.ts';
import { CredentialKeeper } from './credential-keeper.ts';
import type { GatewayLimits } from './limits.ts';
import { Listener } from './listener.ts';
import { PolicyFollower } from './policy-follower.ts';
import { RetryAdvice } from './retry-advice.ts';
import { GatewayStatistics, increment } from './statistics.ts';

/** What a gateway is built from. */
export interface GatewayParts {
  /** Names this replica in logs, credentials and the activation log. */
  readonly gatewayId: string;
  readonly policy: LicensingPolicy;
  readonly counting: Counting;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: GatewayLimits;
  /**
   * Load balancers and proxies that say by a PROXY protocol header, version 2, for whom they connect. From them it is
   * required, and from everybody else it is a foreign protocol. None when it is left out.
   */
  readonly proxyProtocolFrom?: readonly AddressRange[];
}

/** A request with the connection that waits for its answer. */
interface WaitingRequest extends JudgedRequest {
  readonly connection: Connection;
}

const sweepMs = 250;
/** Requests are promised an outcome within a second, of which counting has most. */
const linkSweepMs = 50;

/**
 * The activation protocol on TCP (DESIGN 4.1 and 5): frames in, judged against the policy snapshot, counted in
 * batches, answered in signed batches. Stateless: everything that must last is with policy and counting.
 */
export class ProtocolGateway {
  readonly statistics = new GatewayStatistics();
  readonly #parts: GatewayParts;
  readonly #credentials: CredentialKeeper;
  readonly #link: CountingLink<WaitingRequest>;
  readonly #policy: PolicyFollower;
  readonly #listener: Listener;
  readonly #requestRates: AddressRates;
  /** Of answers that cost counting nothing: RATE_LIMITED, other errors and pongs. Above it nothing is read. */
  readonly #adviceRates: AddressRates;
  readonly #retryAdvice = new RetryAdvice();
  #inFlight = 0;
  #draining = false;
  #sweeper: NodeJS.Timeout | undefined;
  #linkSweeper: NodeJS.Timeout | undefined;

  constructor(parts: GatewayParts) {
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
    this.#requestRates = new AddressRates(parts.limits.requestRatePerAddress);
    this.#adviceRates = new AddressRates(parts.limits.requestRatePerAddress);
    this.#listener = new Listener({
      limits: parts.limits,
      clock: parts.clock,
      logger: parts.logger,
      statistics: this.statistics,
      proxyProtocolFrom: parts.proxyProtocolFrom ?? [],
      events: {
        frame: (connection, frame) => this.#handleFrame(connection, frame),
        problem: (connection, problem) => this.#handleProblem(connection, problem),
      },
      onConnection: () => this.#link.expectMore(),
    });
  }

  /** Connections that are open now. */
  get connectionsOpen(): number {
    return this.#listener.connectionsOpen;
  }

  /** How counting is reached. */
  get counting(): CountingLinkState {
    return this.#link.state;
  }

  /** When the present credential ends, milliseconds since 1970; 0 while there is none. */
  get credentialExpiresAtMs(): number {
    return this.#credentials.current(this.#parts.clock.nowMs())?.expiresAtMs ?? 0;
  }

  /**
   * Gets a snapshot and a credential, then listens.
   *
   * @returns the port, which the system chooses when 0 was asked for.
   * @throws MusterError `PORT_IN_USE` or `ADDRESS_UNUSABLE`.
   */
  async start(address: string | undefined, port: number): Promise<number> {
    this.#link.start();
    this.#linkSweeper = setInterval(() => this.#link.sweep(), linkSweepMs);
    await this.#policy.start();
    await this.#credentials.renewWhenDue();
    const bound = await this.#listener.listen(address, port);
    this.#sweeper = setInterval(() => this.sweep(), sweepMs);
    return bound;
  }

  /** Enforces every time limit by the clock. Runs by itself four times a second. */
  sweep(): void {
    this.#link.sweep();
    this.#listener.sweep();
    this.#credentials.renewWhenDue();
  }

  /**
   * Takes no more connections, answers what has been asked, and ends each connection when it has gone quiet. Returns
   * when all are closed; after the drain limit the rest is cut.
   */
  async drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    this.#policy.stop();
    await this.#listener.drain();
    clearInterval(this.#sweeper);
    clearInterval(this.#linkSweeper);
    this.#link.close();
  }

  #handleFrame(connection: Connection, frame: Frame): void {
    const isRequest = frame.type === FrameType.activationRequest;
    if (isRequest && !this.#isWithinRate(connection, this.#requestRates)) {
      this.#refuseForRate(connection, frame.payload);
      return;
    }
    if (!isRequest && !this.#isWithinRate(connection, this.#adviceRates)) connection.rest();
    switch (frame.type) {
      case FrameType.activationRequest:
        this.#handleRequest(connection, frame.payload);
        break;
      case FrameType.ping: {
        const ping = parsePing(frame.payload);
        if (ping.ok) connection.send(FrameType.pong, encodePong(ping.payload), false);
        else
          this.#sendError(connection, 'MALFORMED_REQUEST', {
            message: ping.problem.message,
            remedy: ping.problem.remedy,
          });
        break;
      }
      default:
        this.#sendError(connection, 'MALFORMED_REQUEST', {
          message: `This gateway takes no frame of type ${frame.type}.`,
          remedy: 'Send activation requests (type 1) and pings (type 6) only.',
        });
    }
  }

  #handleRequest(connection: Connection, payload: Uint8Array): void {
    this.statistics.requests += 1;
    const parsed = parseActivationRequest(payload);
    if (!parsed.ok) {
      const { message, remedy } = parsed.problem;
      this.#sendError(connection, 'MALFORMED_REQUEST', { message, remedy, nonce: parsed.nonce });
      return;
    }
    const { request } = parsed;
    const obstacle = this.#obstacle();
    if (obstacle !== undefined) {
      this.#sendError(connection, obstacle, { nonce: request.nonce });
      return;
    }
    const judged = this.#judge(request);
    if (judged === undefined) {
      this.#sendError(connection, 'HOST_NOT_ACTIVATED', { nonce: request.nonce });
      return;
    }
    connection.begin();
    this.#inFlight += 1;
    this.#link.submit({ ...judged, remoteAddress: connection.remoteAddress, connection });
  }

  #isWithinRate({ remoteAddress }: Connection, rates: AddressRates): boolean {
    const { limits, clock } = this.#parts;
    if (isLoopback(remoteAddress) && !limits.ratesOnLoopback) return true;
    return rates.take(remoteAddress, clock.monotonicMs());
  }

  /** An address that floods gets its advice at the rate of its answers, and no more of it is read than that takes. */
  #refuseForRate(connection: Connection, payload: Uint8Array): void {
    this.statistics.requests += 1;
    increment(this.statistics.limits, 'request-rate');
    const parsed = parseActivationRequest(payload);
    const nonce = parsed.ok ? parsed.request.nonce : parsed.nonce;
    this.#sendError(connection, 'RATE_LIMITED', { message: 'Too many requests come from this address.', nonce });
    if (!this.#isWithinRate(connection, this.#adviceRates)) connection.rest();
  }

  /** Why no request can be taken at this moment. */
  #obstacle(): 'HOST_NOT_ACTIVATED' | 'UNAVAILABLE' | 'RATE_LIMITED' | undefined {
    if (this.#inFlight >= this.#parts.limits.inFlight) {
      increment(this.statistics.limits, 'in-flight');
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
        this.#sendError(connection, 'HOST_NOT_ACTIVATED', { nonce: request.nonce }, true);
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
      increment(this.statistics.results, results[index]?.code ?? missingAnswer());
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
      this.#sendError(connection, 'UNAVAILABLE', { message: reason, nonce: request.nonce }, true);
      touched.add(connection);
    }
    this.#finish(items, touched);
  }

  #finish(items: readonly WaitingRequest[], touched: ReadonlySet<Connection>): void {
    this.#inFlight -= items.length;
    const nowMs = this.#parts.clock.monotonicMs();
    for (const connection of touched) connection.flush(nowMs);
  }

  #handleProblem(connection: Connection, problem: FrameProblem): void {
    if (problem.kind === 'foreign-protocol') {
      increment(this.statistics.foreignProtocols, problem.protocol);
      return; // No reply of ours could help a peer that speaks something else.
    }
    const code = problem.kind === 'unsupported-version' ? 'UNSUPPORTED_VERSION' : 'MALFORMED_REQUEST';
    this.#sendError(connection, code, { message: describeProblem(problem) });
  }

  #sendError(
    connection: Connection,
    code: WireResultCodeName,
    details: { message?: string; remedy?: string; nonce?: Uint8Array | undefined },
    answers = false,
  ): void {
    increment(this.statistics.results, code);
    const description = resultCodes[code as ResultCodeName];
    const mayRetry = code === 'UNAVAILABLE' || code === 'RATE_LIMITED';
    const payload = encodeErrorReply({
      code,
      message: details.message ?? description.meaning,
      remedy: details.remedy ?? description.remedy,
      ...(details.nonce === undefined ? {} : { nonce: details.nonce }),
      ...(mayRetry ? { retryAfterMs: this.#retryAdvice.nextMs() } : {}),
    });
    connection.send(FrameType.errorReply, payload, answers);
  }
}

function describeProblem(problem: Exclude<FrameProblem, { kind: 'foreign-protocol' }>): string {
  switch (problem.kind) {
    case 'unsupported-version':
      return `The frame is of version ${problem.version}, and this gateway speaks version 1.`;
    case 'unknown-type':
      return `The frame has the unknown type ${problem.type}.`;
    case 'payload-too-large':
      return `The frame announces ${problem.length} bytes, and ${problem.maximum} are allowed.`;
  }
}

function missingAnswer(): never {
  throw new Error('a batch was answered with fewer results than it had requests');
}
