import { type ActivatedHost, type ConfirmedInstallation, KeyKind, type ProductKey } from '@muster/contracts/vendor';
import { formatUuid } from '@muster/wire-codec';
import { colour, formatTime } from './output.ts';
import { fittingTable } from './vendor-table.ts';

/** Rows that people are shown; all are in the JSON document. */
const mostRows = 500;

/** How a key stands, in one word. */
function stateOf({ revokedAtUnixMs, expiresAtUnixMs }: ProductKey, nowMs: number): string {
  if (revokedAtUnixMs > 0) return 'revoked';
  return expiresAtUnixMs <= nowMs ? 'ended' : 'active';
}

/** A kind of key as people call it. */
export function kindName(kind: KeyKind): 'KMS key' | 'MAK' {
  return kind === KeyKind.MAK ? 'MAK' : 'KMS key';
}

function kindCode(kind: KeyKind): 'KMS' | 'MAK' {
  return kind === KeyKind.MAK ? 'MAK' : 'KMS';
}

/** A key as the JSON documents of the commands have it. */
export function keyDocument(key: ProductKey, nowMs: number): object {
  const { hostLimit, activationsPerHost, certificateDays, hosts, makActivations, makActivationsUsed } = key;
  return {
    id: formatUuid(key.keyId),
    lastFive: key.lastFive,
    kind: kindCode(key.kind),
    state: stateOf(key, nowMs),
    application: key.application,
    productGroup: key.productGroup,
    customer: key.customer,
    issuedAt: isoTime(key.issuedAtUnixMs),
    expiresAt: isoTime(key.expiresAtUnixMs),
    revokedAt: key.revokedAtUnixMs === 0 ? null : isoTime(key.revokedAtUnixMs),
    revocationReason: key.revocationReason,
    ...(key.kind === KeyKind.MAK
      ? { activations: { used: makActivationsUsed, limit: makActivations } }
      : { hosts: { used: hosts, limit: hostLimit }, activationsPerHost, certificateDays }),
  };
}

/** Keys as a table for people. */
export function* describeKeys(keys: readonly ProductKey[], nowMs: number): Iterable<string> {
  if (keys.length === 0) {
    yield 'There is no such key.';
    return;
  }
  yield fittingTable(
    ['key', 'kind', 'customer', 'product group', 'used', 'until', 'state'],
    keys
      .slice(0, mostRows)
      .map((key) => [
        key.lastFive,
        kindCode(key.kind),
        key.customer,
        `${key.application}/${key.productGroup}`,
        useOf(key),
        dayOf(key.expiresAtUnixMs),
        coloured(stateOf(key, nowMs)),
      ]),
    [2, 3],
  );
  yield* more(keys.length);
}

/** All about one key. */
export function* describeKey(key: ProductKey, nowMs: number): Iterable<string> {
  const { revokedAtUnixMs, revocationReason } = key;
  yield `${colour('bold', key.lastFive)}  ${kindName(key.kind)} ${formatUuid(key.keyId)}`;
  yield `  for       ${key.customer}`;
  yield `  serves    ${key.application}/${key.productGroup}`;
  yield `  issued    ${formatTime(key.issuedAtUnixMs)}`;
  yield `  until     ${formatTime(key.expiresAtUnixMs)}`;
  if (key.kind === KeyKind.MAK) yield `  used      ${useOf(key)} activations`;
  else {
    yield `  used      ${useOf(key)} hosts, each with up to ${key.activationsPerHost} activations`;
    yield `  lasts     ${key.certificateDays} days a host certificate`;
  }
  yield `  state     ${coloured(stateOf(key, nowMs))}${revokedAtUnixMs > 0 ? ` at ${formatTime(revokedAtUnixMs)}` : ''}`;
  if (revocationReason !== '') yield `  because   ${revocationReason}`;
}

/** A host as the JSON documents have it. */
export function hostDocument(host: ActivatedHost): object {
  return {
    hostId: formatUuid(host.hostId),
    hostPlatform: host.hostPlatform,
    activations: host.activationsUsed,
    firstActivatedAt: isoTime(host.firstActivatedAtUnixMs),
    lastCertifiedAt: isoTime(host.lastCertifiedAtUnixMs),
    expiresAt: isoTime(host.expiresAtUnixMs),
  };
}

/** The hosts of a KMS key as a table for people. */
export function* describeHosts(hosts: readonly ActivatedHost[]): Iterable<string> {
  if (hosts.length === 0) {
    yield 'It has activated no host yet.';
    return;
  }
  yield fittingTable(
    ['host', 'platform', 'activations', 'last', 'until'],
    hosts
      .slice(0, mostRows)
      .map((host) => [
        formatUuid(host.hostId),
        host.hostPlatform,
        String(host.activationsUsed),
        formatTime(host.lastCertifiedAtUnixMs),
        dayOf(host.expiresAtUnixMs),
      ]),
    [1],
  );
  yield* more(hosts.length);
}

/** An installation as the JSON documents have it: its id in base64url, as in its confirmation. */
export function installationDocument({ installationId, edition, confirmedAtUnixMs }: ConfirmedInstallation): object {
  return { installationId: idText(installationId), edition, confirmedAt: isoTime(confirmedAtUnixMs) };
}

/** The installations of a MAK as a table for people. */
export function* describeInstallations(installations: readonly ConfirmedInstallation[]): Iterable<string> {
  if (installations.length === 0) {
    yield 'It has confirmed no installation yet.';
    return;
  }
  yield fittingTable(
    ['installation', 'edition', 'confirmed'],
    installations
      .slice(0, mostRows)
      .map(({ installationId, edition, confirmedAtUnixMs }) => [
        idText(installationId),
        edition,
        formatTime(confirmedAtUnixMs),
      ]),
    [1],
  );
  yield* more(installations.length);
}

function useOf(key: ProductKey): string {
  return key.kind === KeyKind.MAK ? `${key.makActivationsUsed}/${key.makActivations}` : `${key.hosts}/${key.hostLimit}`;
}

function* more(count: number): Iterable<string> {
  if (count > mostRows) yield `and ${count - mostRows} more; --json lists all.`;
}

function coloured(state: string): string {
  return colour(state === 'active' ? 'green' : 'red', state);
}

function idText(installationId: Uint8Array): string {
  return Buffer.from(installationId).toString('base64url');
}

function dayOf(unixMs: number): string {
  return formatTime(unixMs).slice(0, 10);
}

function isoTime(unixMs: number): string {
  return new Date(unixMs).toISOString();
}
