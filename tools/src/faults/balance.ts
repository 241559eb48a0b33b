import type { CheckReport } from './check/checker.ts';
import type { FaultSite } from './fault-site.ts';

/** A replica with less than this share of the work of its kind has only said hello. */
const leastShare = 0.02;

/**
 * What share of the work of its kind each replica did, 0 when it is next to nothing: gateways by their rows in the log,
 * countings and policies by the bytes that gateways exchanged with them.
 */
export function balance({ stack, links }: FaultSite, check: CheckReport | undefined): Record<string, number> {
  const rows = (name: string) => check?.rowsOfGateway[name] ?? 0;
  const bytes = (name: string) => {
    const served = links.filter(({ from, to }) => to === name && from.startsWith('gateway'));
    return served.reduce((sum, { proxy }) => sum + proxy.bytesSeen, 0);
  };
  return {
    ...sharesOf(stack.gateways, rows),
    ...sharesOf(stack.countings, bytes),
    ...sharesOf(stack.policies, bytes),
  };
}

function sharesOf(
  replicas: readonly { readonly name: string }[],
  workOf: (name: string) => number,
): Record<string, number> {
  const total = replicas.reduce((sum, { name }) => sum + workOf(name), 0);
  return Object.fromEntries(
    replicas.map(({ name }) => {
      const share = total === 0 ? 0 : workOf(name) / total;
      return [name, share < leastShare ? 0 : Number(share.toFixed(3))];
    }),
  );
}
