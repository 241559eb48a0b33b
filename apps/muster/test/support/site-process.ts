/** A site in a process of its own, with limits that `muster serve` has no option for. */
import type { GatewayLimits } from '@muster/protocol-gateway';
import { type Site, startSite } from '../../src/site.ts';
import { answerOrders } from './answer-orders.ts';

/** What a site process is told. */
export type SiteOrder =
  | { readonly kind: 'start'; readonly dataDirectory: string; readonly limits: Partial<GatewayLimits> }
  | { readonly kind: 'statistics' };

/** Where the site is, and whom its clients trust. */
export interface StartedSite {
  readonly port: number;
  readonly vendorKey: string;
}

/** What its gateway has counted. */
export interface SiteStatistics {
  readonly limits: Readonly<Record<string, number>>;
  readonly results: Readonly<Record<string, number>>;
  readonly connectionsOpen: number;
}

let site: Site | undefined;

answerOrders(async (order: SiteOrder): Promise<StartedSite | SiteStatistics> => {
  if (order.kind === 'start') {
    const { dataDirectory, limits } = order;
    site = await startSite({ dataDirectory, activationPort: 0, activationAddress: '127.0.0.1', demo: true, limits });
    return { port: site.activationPort, vendorKey: site.demoVendorKey ?? '' };
  }
  if (site === undefined) throw new Error('the site has not been started');
  const { statistics, connectionsOpen } = site.gateway;
  return {
    limits: Object.fromEntries(statistics.limits),
    results: Object.fromEntries(statistics.results),
    connectionsOpen,
  };
});
