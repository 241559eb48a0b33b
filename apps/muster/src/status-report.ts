import type { SiteStatus } from '@muster/contracts/site';
import { formatUuid } from '@muster/wire-codec';
import { LocalSocket } from './local-socket.ts';
import { colour, formatTime, print, printJson } from './output.ts';
import { table } from './table.ts';

/**
 * Prints the status of a running site.
 *
 * @throws MusterError `NOT_RUNNING`.
 */
export async function showStatus(dataDirectory: string, json: boolean): Promise<void> {
  const status = await LocalSocket.use(dataDirectory, (site) => site.getStatus({}));
  if (json) printJson(toDocument(status));
  else for (const line of describe(status)) print(line);
}

function toDocument(status: SiteStatus): object {
  const { gateway } = status;
  return {
    hostId: formatUuid(status.hostId),
    hostPlatform: status.hostPlatform,
    processId: status.processId,
    dataDirectory: status.dataDirectory,
    activationAddress: status.activationAddress,
    startedAt: new Date(status.startedAtUnixMs).toISOString(),
    catalogue: status.catalogue,
    applications: status.applications.map(({ application, name, count, thresholds }) => ({
      application,
      name,
      count: count?.count ?? 0,
      machinesCounted: count?.machinesCounted ?? 0,
      machinesKnown: count?.machinesKnown ?? 0,
      machinesCloned: count?.machinesCloned ?? 0,
      thresholds,
    })),
    keys: status.keys.map(({ expiresAtUnixMs, ...key }) => ({
      ...key,
      expiresAt: new Date(expiresAtUnixMs).toISOString(),
    })),
    gateway: {
      ...gateway,
      credentialExpiresAtUnixMs: undefined,
      credentialExpiresAt:
        gateway === undefined || gateway.credentialExpiresAtUnixMs === 0
          ? null
          : new Date(gateway.credentialExpiresAtUnixMs).toISOString(),
    },
    outboxLag: status.outboxLag,
  };
}

function* describe(status: SiteStatus): Iterable<string> {
  const line = (name: string, text: string) => `${colour('bold', name.padEnd(12))}${text}`;
  yield line('host', `${formatUuid(status.hostId)} on ${status.hostPlatform || 'no platform'}`);
  yield line('process', `${status.processId}, since ${formatTime(status.startedAtUnixMs)}`);
  yield line('activation', status.activationAddress);
  yield line('catalogue', status.catalogue || 'none: no vendor has signed one here');
  if (status.keys.length === 0) yield line('key', 'none: every client gets HOST_NOT_ACTIVATED');
  for (const key of status.keys) {
    yield line('key', `${key.key} (${key.productGroup}) by ${key.vendor}, until ${formatTime(key.expiresAtUnixMs)}`);
  }
  yield* describeCounts(status);
  yield* describeGateway(status);
}

function* describeCounts(status: SiteStatus): Iterable<string> {
  const rows = status.applications.flatMap(({ application, count, thresholds }) =>
    thresholds.map(({ threshold, reached, editions }, index) => [
      index === 0 ? application : '',
      index === 0 ? String(count?.count ?? 0) : '',
      index === 0 ? `${count?.machinesCounted ?? 0} of ${count?.machinesKnown ?? 0}` : '',
      index === 0 ? String(count?.machinesCloned ?? 0) : '',
      String(threshold),
      reached ? colour('green', 'reached') : colour('yellow', `${threshold - (count?.count ?? 0)} missing`),
      editions.length > 3 ? `${editions.slice(0, 3).join(', ')} and ${editions.length - 3} more` : editions.join(', '),
    ]),
  );
  if (rows.length === 0) return;
  yield '';
  yield table(['application', 'count', 'machines', 'clones', 'threshold', 'state', 'editions'], rows);
}

function* describeGateway({ gateway, outboxLag }: SiteStatus): Iterable<string> {
  if (gateway === undefined) return;
  const list = (counters: { readonly [name: string]: number }) =>
    Object.entries(counters)
      .map(([name, number]) => `${name} ${number}`)
      .join(', ') || 'none';
  yield '';
  yield table(
    ['gateway', ''],
    [
      ['connections', `${gateway.connectionsOpen} open, ${gateway.connectionsAccepted} accepted`],
      ['requests', String(gateway.requests)],
      ['results', list(gateway.results)],
      ['other protocols', list(gateway.foreignProtocols)],
      ['limits reached', list(gateway.limits)],
      ['credential until', formatTime(gateway.credentialExpiresAtUnixMs) || 'none'],
      ['events waiting', String(outboxLag)],
    ],
  );
}
