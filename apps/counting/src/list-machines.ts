import type { ListMachinesRequest, Machine, MachineIdentity } from '@muster/contracts/counting';
import type { Database } from '@muster/database';
import type { MachineClass } from '@muster/product-groups';
import { machineClassNumber, parseUuid, resultCodeNumber, type WireResultCodeName } from '@muster/wire-codec';
import type { IdentityRow, MachineRow } from './rows.ts';
import { identitiesStatement, machinesStatement } from './statements.ts';

const pageRows = 500;
const millisecondsPerMinute = 60_000;

/**
 * Every machine that the request asks for, ordered by application and CMID, read a page at a time.
 *
 * @param nowMs the time at which it is decided who stands in the count, milliseconds since 1970.
 */
export async function* listMachines(
  database: Database,
  request: ListMachinesRequest,
  nowMs: number,
): AsyncIterable<Machine> {
  const retentionMs = new Map(
    request.rules.map((rule) => [rule.application, rule.countRetentionMinutes * millisecondsPerMinute]),
  );
  const statement = machinesStatement({
    oneApplication: request.application !== '',
    clonedOnly: request.clonedOnly,
  });
  let from = { application: request.application, cmid: '00000000-0000-0000-0000-000000000000' };
  for (let isFirstPage = true; ; isFirstPage = false) {
    const rows = await database.query<MachineRow>(statement, [from.application, from.cmid, isFirstPage, pageRows]);
    const identities = await readIdentities(
      database,
      rows.filter((row) => row.cloned_at !== null),
    );
    for (const row of rows) {
      const silentMs = nowMs - row.last_request_at;
      const counted = row.raises_count && silentMs < (retentionMs.get(row.application) ?? 0);
      yield toMachine(row, counted, identities.get(key(row)) ?? []);
    }
    const end = rows.at(-1);
    if (end === undefined || rows.length < pageRows) return;
    from = end;
  }
}

async function readIdentities(
  database: Database,
  clones: readonly MachineRow[],
): Promise<ReadonlyMap<string, MachineIdentity[]>> {
  const identities = new Map<string, MachineIdentity[]>();
  if (clones.length === 0) return identities;
  const rows = await database.query<IdentityRow>(identitiesStatement, [
    clones.map((row) => row.application),
    clones.map((row) => row.cmid),
  ]);
  for (const row of rows) {
    const list = identities.get(key(row)) ?? [];
    list.push({
      machineName: row.machine_name,
      fingerprint: Buffer.from(row.fingerprint, 'hex'),
      lastSeenUnixMs: row.last_seen_at,
    });
    identities.set(key(row), list);
  }
  return identities;
}

function key(row: { readonly application: string; readonly cmid: string }): string {
  return `${row.application} ${row.cmid}`;
}

function toMachine(row: MachineRow, counted: boolean, identities: readonly MachineIdentity[]): Machine {
  return {
    application: row.application,
    cmid: parseUuid(row.cmid) ?? new Uint8Array(16),
    edition: row.edition,
    machineClass: machineClassNumber(row.machine_class as MachineClass),
    machineName: row.machine_name,
    fingerprint: Buffer.from(row.fingerprint, 'hex'),
    firstRequestUnixMs: row.first_request_at,
    lastRequestUnixMs: row.last_request_at,
    requests: row.requests,
    lastCode: resultCodeNumber(row.last_code as WireResultCodeName),
    counted,
    clonedSinceUnixMs: row.cloned_at ?? 0,
    identities,
  };
}
