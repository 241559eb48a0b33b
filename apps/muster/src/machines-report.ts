import type { Machine } from '@muster/contracts/counting';
import { formatUuid, machineClassName, resultCodeName } from '@muster/wire-codec';
import { stringify } from 'csv-stringify/sync';
import { LocalSocket } from './local-socket.ts';
import { colour, formatTime, print, printJson, say } from './output.ts';
import { table } from './table.ts';

/** The options of `muster machines list`, parsed. */
export interface MachinesOptions {
  readonly data: string;
  readonly application: string;
  readonly cloned: boolean;
  readonly json: boolean;
  readonly csv: boolean;
}

/** One machine as it is printed. */
interface MachineRecord {
  readonly application: string;
  readonly cmid: string;
  readonly machineName: string;
  readonly edition: string;
  readonly machineClass: string;
  readonly counted: boolean;
  readonly lastCode: string;
  readonly requests: number;
  readonly firstRequestAt: string;
  readonly lastRequestAt: string;
  readonly clonedSince: string | null;
  readonly identities: readonly {
    readonly machineName: string;
    readonly fingerprint: string;
    readonly lastSeenAt: string;
  }[];
}

/**
 * Prints the machines of a running site.
 *
 * @throws MusterError `NOT_RUNNING`.
 */
export async function listMachines(options: MachinesOptions): Promise<void> {
  const records: MachineRecord[] = [];
  await LocalSocket.use(options.data, async (site) => {
    const request = { rules: [], application: options.application, clonedOnly: options.cloned };
    for await (const machine of site.listMachines(request)) records.push(toRecord(machine));
  });
  if (options.json) printJson({ machines: records });
  else if (options.csv) process.stdout.write(toCsv(records));
  else printTable(records);
}

function toRecord(machine: Machine): MachineRecord {
  const iso = (unixMs: number) => new Date(unixMs).toISOString();
  return {
    application: machine.application,
    cmid: formatUuid(machine.cmid),
    machineName: machine.machineName,
    edition: machine.edition,
    machineClass: machineClassName(machine.machineClass) ?? '',
    counted: machine.counted,
    lastCode: resultCodeName(machine.lastCode) ?? '',
    requests: machine.requests,
    firstRequestAt: iso(machine.firstRequestUnixMs),
    lastRequestAt: iso(machine.lastRequestUnixMs),
    clonedSince: machine.clonedSinceUnixMs === 0 ? null : iso(machine.clonedSinceUnixMs),
    identities: machine.identities.map((identity) => ({
      machineName: identity.machineName,
      fingerprint: Buffer.from(identity.fingerprint).toString('hex'),
      lastSeenAt: iso(identity.lastSeenUnixMs),
    })),
  };
}

function toCsv(records: readonly MachineRecord[]): string {
  const rows = records.map(({ identities, ...record }) => ({
    ...record,
    clonedSince: record.clonedSince ?? '',
    clonedNames: identities.map((identity) => identity.machineName).join(' '),
  }));
  const columns = [
    ...['application', 'cmid', 'machineName', 'edition', 'machineClass', 'counted', 'lastCode', 'requests'],
    ...['firstRequestAt', 'lastRequestAt', 'clonedSince', 'clonedNames'],
  ];
  return stringify(rows, { header: true, columns, cast: { boolean: String }, escape_formulas: true });
}

function printTable(records: readonly MachineRecord[]): void {
  if (records.length === 0) {
    say('The site knows no such machine.');
    return;
  }
  print(
    table(
      ['machine', 'edition', 'class', 'counted', 'last result', 'last request', 'cmid'],
      records.map((record) => [
        `${record.machineName || '(withheld)'}${record.clonedSince === null ? '' : colour('yellow', ' cloned')}`,
        record.edition,
        record.machineClass,
        record.counted ? 'yes' : 'no',
        record.lastCode,
        formatTime(Date.parse(record.lastRequestAt)),
        record.cmid,
      ]),
    ),
  );
  const clones = records.filter((record) => record.clonedSince !== null);
  for (const clone of clones) {
    const names = clone.identities.map((identity) => identity.machineName || '(withheld)').join(', ');
    say(`CMID ${clone.cmid} is a cloned image, seen as ${names}: make a new CMID on all but one of them.`);
  }
}
