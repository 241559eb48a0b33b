import type { GatewayAnnouncement } from '@muster/events';
import type { Clock } from '@muster/service-kit';

/** What an announcer is built from. */
export interface GatewayAnnouncerParts {
  /** Sends one announcement, if it can. */
  readonly announce: (announcement: GatewayAnnouncement) => void;
  readonly clock: Clock;
  readonly gatewayId: string;
  /** Where clients reach this gateway. */
  readonly address: string;
  readonly port: number;
  readonly connections: () => number;
}

/** A gateway that was not heard for three of these counts as gone. */
export const announceEveryMs = 5_000;

/**
 * Tells everybody on the bus that this gateway lives, every five seconds, and when it goes (DESIGN 4): discovery
 * publishes the gateways that it hears. Nothing waits for it; an announcement that finds no bus is dropped.
 */
export class GatewayAnnouncer {
  readonly #parts: GatewayAnnouncerParts;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: GatewayAnnouncerParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#announce('alive');
    this.#timer = setInterval(() => this.#announce('alive'), announceEveryMs);
  }

  /** Says goodbye, once. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#announce('goodbye');
  }

  #announce(state: GatewayAnnouncement['state']): void {
    const { announce, clock, gatewayId, address, port, connections } = this.#parts;
    const at = new Date(clock.nowMs()).toISOString();
    announce({ gatewayId, state, address, port, connections: connections(), at });
  }
}
