import { isIPv4, isIPv6 } from 'node:net';
import type { MethodRule } from '@muster/contracts/methods';
import { MusterError } from '@muster/product-groups';

/**
 * The gRPC target of an address setting.
 *
 * @param address `host:port`, or several with IP addresses of one family, separated by commas; or `unix:path`.
 * @throws MusterError `SETTING_INVALID` when several addresses are not IP addresses of one family.
 */
export function toTarget(address: string): string {
  if (address.startsWith('unix:')) return address;
  const addresses = address.split(',').map((each) => each.trim());
  if (addresses.length === 1) return `dns:${addresses[0]}`;
  const hosts = addresses.map((each) => each.slice(0, each.lastIndexOf(':')));
  if (hosts.every(isIPv4)) return `ipv4:${addresses.join(',')}`;
  if (hosts.every((host) => isIPv6(host.replace(/^\[|\]$/g, '')))) return `ipv6:${addresses.join(',')}`;
  throw new MusterError({
    code: 'SETTING_INVALID',
    message: `Of several addresses each needs an IP address, all of one family: ${address}.`,
    remedy: 'Give one host name that stands for all of them, or their IP addresses.',
  });
}

/** Tried again so often at most while a service is away. Within the deadline of the call. */
const attempts = 4;

/**
 * How calls are made: spread in turn over all servers, and repeated where the method allows it. The library waits a
 * random time below the backoff before each attempt, and repeats less while most calls fail.
 */
export function serviceConfigOf(methods: readonly (readonly [path: string, rule: MethodRule])[]): string {
  const repeatable = methods.filter(([, rule]) => rule.idempotent).map(([path]) => path.split('/').filter(Boolean));
  return JSON.stringify({
    loadBalancingConfig: [{ round_robin: {} }],
    ...(repeatable.length === 0
      ? {}
      : {
          retryThrottling: { maxTokens: 10, tokenRatio: 0.1 },
          methodConfig: [
            {
              name: repeatable.map(([service, method]) => ({ service, method })),
              retryPolicy: {
                maxAttempts: attempts,
                initialBackoff: '0.1s',
                maxBackoff: '1s',
                backoffMultiplier: 2,
                retryableStatusCodes: ['UNAVAILABLE'],
              },
            },
          ],
        }),
  });
}
