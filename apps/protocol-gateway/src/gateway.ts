import type { Counting } from '@muster/contracts/counting';
import type { LicensingPolicy } from '@muster/contracts/policy';
import type { Clock, Logger } from '@muster/service-kit';
import { encodePong, type Frame, type FrameProblem, FrameType, findNonce, parsePing } from '@muster/wire-codec';
import { ActivationDesk } from './activation-desk.ts';
import { AddressRates } from './address-rates.ts';
import { type AddressRange, isLoopback } from './addresses.ts';
import type { Connection } from './connection.ts';
import type { CountingLinkState } from './counting-link.ts';
import { ErrorReplies } from './error-replies.ts';
import type { GatewayLimits } from './limits.ts';
import { Listener } from './listener.ts';
import { type MakAuthority, MakDesk, type MakDeskState } from './mak-desk.ts';
import { RetryAdvice } from './retry-advice.ts';
import { GatewayStatistics, increment } from './statistics.ts';

/** What a gateway is built from. */
export interface GatewayParts {
  /** Names this replica in logs, credentials and the activation log. */
  readonly gatewayId: string;
  /** Both for activation requests; a gateway in front of a vendor's authority alone has neither. */
  readonly policy?: LicensingPolicy;
  readonly counting?: Counting;
  /** For MAK requests: a gateway in front of the authority of a vendor. */
  readonly authority?: MakAuthority;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: GatewayLimits;
  /**
   * Load balancers and proxies that say by a PROXY protocol header, version 2, for whom they connect. From them it is
   * required, and from everybody else it is a foreign protocol. None when it is left out.
   */
  readonly proxyProtocolFrom?: readonly AddressRange[];
}

const sweepMs = 250;

/**
 * The activation protocol on TCP (DESIGN 4.1 and 5): the door, the rates of each address, and a desk for each kind of
 * request. Stateless: everything that must last is with policy, counting and the authority.
 */
export class ProtocolGateway {
  readonly statistics = new GatewayStatistics();
  readonly #parts: GatewayParts;
  readonly #activations: ActivationDesk | undefined;
  readonly #mak: MakDesk | undefined;
  readonly #listener: Listener;
  readonly #errors: ErrorReplies;
  readonly #requestRates: AddressRates;
  /** Of answers that cost nothing elsewhere: RATE_LIMITED, other errors and pongs. Above it nothing is read. */
  readonly #adviceRates: AddressRates;
  #draining = false;
  #sweeper: NodeJS.Timeout | undefined;

  constructor(parts: GatewayParts) {
    const { policy, counting, authority, ...common } = parts;
    const { limits, clock, logger } = parts;
    const { statistics } = this;
    this.#parts = parts;
    if (policy !== undefined && counting !== undefined) {
      this.#activations = new ActivationDesk({ ...common, policy, counting, statistics });
    }
    if (authority !== undefined) this.#mak = new MakDesk({ ...common, authority, statistics });
    const retryAdvice = new RetryAdvice();
    this.#errors = new ErrorReplies(statistics, () => this.#activations?.retryAfterMs() ?? retryAdvice.nextMs());
    this.#requestRates = new AddressRates(limits.requestRatePerAddress);
    this.#adviceRates = new AddressRates(limits.requestRatePerAddress);
    this.#listener = new Listener({
      limits,
      clock,
      logger,
      statistics,
      proxyProtocolFrom: parts.proxyProtocolFrom ?? [],
      events: {
        frame: (connection, frame) => this.#handleFrame(connection, frame),
        problem: (connection, problem) => this.#handleProblem(connection, problem),
      },
      onConnection: () => this.#activations?.expectMore(),
    });
  }

  /** Connections that are open now. */
  get connectionsOpen(): number {
    return this.#listener.connectionsOpen;
  }

  /** How counting is reached; undefined where no activation requests are taken. */
  get counting(): CountingLinkState | undefined {
    return this.#activations?.counting;
  }

  /** How the authority is reached; undefined where no MAK requests are taken. */
  get authority(): MakDeskState | undefined {
    return this.#mak?.state;
  }

  /** When the present credential ends, milliseconds since 1970; 0 while there is none. */
  get credentialExpiresAtMs(): number {
    return this.#activations?.credentialExpiresAtMs ?? 0;
  }

  /**
   * Gets a snapshot and a credential where activation requests are taken, then listens.
   *
   * @returns the port, which the system chooses when 0 was asked for.
   * @throws MusterError `PORT_IN_USE` or `ADDRESS_UNUSABLE`.
   */
  async start(address: string | undefined, port: number): Promise<number> {
    await this.#activations?.start();
    const bound = await this.#listener.listen(address, port);
    this.#sweeper = setInterval(() => this.sweep(), sweepMs);
    return bound;
  }

  /** Enforces every time limit by the clock. Runs by itself four times a second. */
  sweep(): void {
    this.#activations?.sweep();
    this.#mak?.sweep();
    this.#listener.sweep();
  }

  /**
   * Takes no more connections, answers what has been asked, and ends each connection when it has gone quiet. Returns
   * when all are closed; after the drain limit the rest is cut.
   */
  async drain(): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    this.#activations?.stopFollowing();
    await this.#listener.drain();
    clearInterval(this.#sweeper);
    this.#activations?.close();
  }

  #handleFrame(connection: Connection, { type, payload }: Frame): void {
    const desk = this.#deskFor(type);
    if (desk !== undefined) {
      if (type === FrameType.makRequest) this.statistics.makRequests += 1;
      else this.statistics.requests += 1;
      if (this.#isWithinRate(connection, this.#requestRates)) desk.take(connection, payload);
      else this.#refuseForRate(connection, payload);
      return;
    }
    if (!this.#isWithinRate(connection, this.#adviceRates)) connection.rest();
    if (type === FrameType.ping) this.#handlePing(connection, payload);
    else
      this.#errors.send(connection, 'MALFORMED_REQUEST', {
        message: `This gateway takes no frame of type ${type}.`,
        remedy: `Send ${this.#taken()} and pings (type 6) only.`,
      });
  }

  #deskFor(type: FrameType): ActivationDesk | MakDesk | undefined {
    if (type === FrameType.activationRequest) return this.#activations;
    return type === FrameType.makRequest ? this.#mak : undefined;
  }

  #taken(): string {
    const activations = this.#activations === undefined ? [] : ['activation requests (type 1)'];
    const mak = this.#mak === undefined ? [] : ['MAK requests (type 3)'];
    return [...activations, ...mak].join(', ');
  }

  #handlePing(connection: Connection, payload: Uint8Array): void {
    const ping = parsePing(payload);
    if (ping.ok) connection.send(FrameType.pong, encodePong(ping.payload), false);
    else {
      const { message, remedy } = ping.problem;
      this.#errors.send(connection, 'MALFORMED_REQUEST', { message, remedy });
    }
  }

  #isWithinRate({ remoteAddress }: Connection, rates: AddressRates): boolean {
    const { limits, clock } = this.#parts;
    if (isLoopback(remoteAddress) && !limits.ratesOnLoopback) return true;
    return rates.take(remoteAddress, clock.monotonicMs());
  }

  /** An address that floods gets its advice at the rate of its answers, and no more of it is read than that takes. */
  #refuseForRate(connection: Connection, payload: Uint8Array): void {
    increment(this.statistics.limits, 'request-rate');
    const nonce = findNonce(payload);
    this.#errors.send(connection, 'RATE_LIMITED', { message: 'Too many requests come from this address.', nonce });
    if (!this.#isWithinRate(connection, this.#adviceRates)) connection.rest();
  }

  #handleProblem(connection: Connection, problem: FrameProblem): void {
    if (problem.kind === 'foreign-protocol') {
      increment(this.statistics.foreignProtocols, problem.protocol);
      return; // No reply of ours could help a peer that speaks something else.
    }
    const code = problem.kind === 'unsupported-version' ? 'UNSUPPORTED_VERSION' : 'MALFORMED_REQUEST';
    this.#errors.send(connection, code, { message: describeProblem(problem) });
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
