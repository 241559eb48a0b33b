import type { ChannelCredentials } from '@grpc/grpc-js';
import { type Counting, CountingService } from '@muster/contracts/counting';
import { methodRules } from '@muster/contracts/methods';
import { onTestFinished } from 'vitest';
import { connectTo, type MethodRules } from '../src/grpc-interface.ts';
import { type GrpcServerOptions, serveGrpc } from '../src/grpc-server.ts';
import { freeAddress } from './loopback.ts';

/** A counting that has nothing to tell. */
export const silentCounting: Counting = {
  async *count() {},
  getCounts: async () => ({ counts: [] }),
  async *listMachines() {},
};

/** Serves a counting on loopback until the test is over, and counts the calls of `getCounts`. */
export async function serveCounting(options: GrpcServerOptions, parts: Partial<Counting> = {}, at?: string) {
  const address = at ?? (await freeAddress());
  const counting = { ...silentCounting, ...parts };
  const served = { address, calls: 0, drain: async () => {} };
  const implementation: Counting = {
    ...counting,
    getCounts: (request) => {
      served.calls += 1;
      return counting.getCounts(request);
    },
  };
  served.drain = await serveGrpc(address, [{ definition: CountingService, implementation }], options);
  onTestFinished(() => served.drain());
  return served;
}

/** A client of a counting, until the test is over. */
export function connectToCounting(address: string, credentials: ChannelCredentials, rules?: MethodRules): Counting {
  const { service, close } = connectTo<Counting>(CountingService, address, credentials, rules);
  onTestFinished(close);
  return service;
}

/** The rules of the contracts, but no call is made again: a test sees each failure, and at once. */
export const withoutRepetition: MethodRules = Object.fromEntries(
  Object.entries(methodRules).map(([path, rule]) => [path, { ...rule, idempotent: false }]),
);
