import type { KmsKey } from '@muster/contracts/policy';
import { formatUuid } from '@muster/wire-codec';
import { colour, formatTime } from './output.ts';
import { table } from './table.ts';

/** Days before its end from which a certificate is warned of. */
const noticeDays = 30;

/** How an installed key stands, in one word or two. */
function stateOf(key: KmsKey): string {
  if (key.expiresInDays === undefined) {
    if (key.carriedRequestAtUnixMs > 0) return 'awaits confirmation';
    return key.activationPending ? 'awaits answer' : 'not activated';
  }
  if (key.expiresInDays < 0) return 'ended';
  return key.expiresInDays < noticeDays ? 'ends soon' : 'active';
}

/** A key as the JSON documents of the commands have it. */
export function keyDocument(key: KmsKey): object {
  const time = (unixMs: number) => (unixMs === 0 ? null : new Date(unixMs).toISOString());
  return {
    id: formatUuid(key.keyId),
    lastFive: key.lastFive,
    state: stateOf(key),
    application: key.application,
    productGroup: key.productGroup,
    key: key.key,
    vendor: key.vendor,
    installedAt: time(key.installedAtUnixMs),
    activatedAt: time(key.activatedAtUnixMs),
    expiresAt: time(key.expiresAtUnixMs),
    expiresInDays: key.expiresInDays ?? null,
    activationPending: key.activationPending,
    requestedAt: time(key.carriedRequestAtUnixMs),
    renewalAt: time(key.renewalAtUnixMs),
    problem:
      key.problemCode === '' ? null : { code: key.problemCode, message: key.problem, at: time(key.problemAtUnixMs) },
  };
}

/** The installed keys as a table for people, and what is wrong with them below it. */
export function* describeKeys(keys: readonly KmsKey[]): Iterable<string> {
  if (keys.length === 0) {
    yield 'No KMS key is installed. `muster key install` takes the one that the vendor gave you.';
    return;
  }
  yield table(
    ['key', 'kind', 'product group', 'state', 'until', 'days'],
    keys.map((key) => [
      key.lastFive,
      key.key,
      key.productGroup === '' ? '' : `${key.application}/${key.productGroup}`,
      coloured(stateOf(key)),
      formatTime(key.expiresAtUnixMs).slice(0, 10),
      String(key.expiresInDays ?? ''),
    ]),
  );
  for (const { lastFive, problemCode, problem, problemAtUnixMs } of keys) {
    if (problemCode === '') continue;
    yield '';
    yield `${colour('yellow', lastFive)} was not renewed at ${formatTime(problemAtUnixMs)}: ${problemCode}: ${problem}`;
  }
}

/** One sentence about a key that is active. */
export function describeActive({ key, application, productGroup, expiresAtUnixMs }: KmsKey): string {
  return `${key} (${application}/${productGroup}) is active until ${formatTime(expiresAtUnixMs)}.`;
}

function coloured(state: string): string {
  if (state === 'active') return colour('green', state);
  return colour(state === 'ended' ? 'red' : 'yellow', state);
}
