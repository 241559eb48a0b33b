import type { GatewayTarget } from './open-loop.ts';

/** What the load process is told when it starts. */
export interface LoadOrder {
  /** Names the run in its attempts and machines. */
  readonly name: string;
  readonly gateways: readonly GatewayTarget[];
  readonly attemptsPerSecond: number;
  readonly keptPerGateway: number;
  readonly newConnectionShare: number;
  /** The vendor's public key, a JWK. */
  readonly vendorKeyJwk: string;
  readonly seed: number;
  /** The file that it appends its answers to. */
  readonly answersFile: string;
}

/** What the load process tells. */
export type LoadNews =
  | { readonly kind: 'idle-reset'; readonly gateway: string }
  | { readonly kind: 'done'; readonly attempts: number };
