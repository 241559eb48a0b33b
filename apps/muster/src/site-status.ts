import type { Counting } from '@muster/contracts/counting';
import type { ApplicationStatus, SiteStatus } from '@muster/contracts/site';
import type { OutboxRelay } from '@muster/counting';
import type { LicensingPolicyService } from '@muster/licensing-policy';
import type { Application, Catalogue } from '@muster/product-groups';
import { countRules, type ProtocolGateway } from '@muster/protocol-gateway';
import { parseUuid } from '@muster/wire-codec';

/** What the status is read from. */
export interface StatusSources {
  readonly policy: LicensingPolicyService;
  readonly counting: Counting;
  readonly gateway: ProtocolGateway;
  readonly relay: OutboxRelay;
  readonly catalogue: Catalogue | undefined;
  readonly dataDirectory: string;
  readonly startedAtMs: number;
  readonly activationAddress: string;
}

/** The status of a site that runs in this process. */
export async function siteStatus(sources: StatusSources): Promise<SiteStatus> {
  const { policy, counting, gateway, relay, catalogue } = sources;
  const applications = [...(catalogue?.applications.values() ?? [])];
  const { counts } = await counting.getCounts({ rules: applications.map(countRules) });
  const { statistics } = gateway;
  return {
    hostId: parseUuid(policy.host.hostId) ?? new Uint8Array(),
    hostPlatform: policy.host.platform,
    activationAddress: sources.activationAddress,
    startedAtUnixMs: sources.startedAtMs,
    catalogue: catalogue === undefined ? '' : `${catalogue.id} version ${catalogue.version}`,
    applications: applications.map((application) => {
      const count = counts.find((each) => each.application === application.id);
      return toApplicationStatus(application, count);
    }),
    keys: policy.state.keys.map((key) => ({
      application: key.application,
      productGroup: key.productGroup,
      key: key.key,
      vendor: key.vendor,
      expiresAtUnixMs: key.expiresAtMs,
    })),
    gateway: {
      connectionsOpen: gateway.connectionsOpen,
      connectionsAccepted: statistics.connectionsAccepted,
      requests: statistics.requests,
      results: Object.fromEntries(statistics.results),
      foreignProtocols: Object.fromEntries(statistics.foreignProtocols),
      limits: Object.fromEntries(statistics.limits),
      credentialExpiresAtUnixMs: gateway.credentialExpiresAtMs,
    },
    processId: process.pid,
    dataDirectory: sources.dataDirectory,
    outboxLag: await relay.lag(),
  };
}

function toApplicationStatus(application: Application, count: ApplicationStatus['count']): ApplicationStatus {
  const editions = [...application.editions.values()];
  const thresholds = [...new Set(editions.map((edition) => edition.threshold))].sort((a, b) => a - b);
  return {
    application: application.id,
    name: application.name,
    count,
    thresholds: thresholds.map((threshold) => ({
      threshold,
      editions: editions.filter((edition) => edition.threshold === threshold).map((edition) => edition.id),
      reached: (count?.count ?? 0) >= threshold,
    })),
  };
}
