import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import {
  builtInCatalogues,
  isIdentifier,
  type MachineClass,
  MusterError,
  machineClasses,
  parseCatalogue,
} from '@muster/product-groups';
import { formatUuid, parseUuid } from '@muster/wire-codec';
import { parse } from 'csv-parse/sync';

/** One machine of a fleet. */
export interface FleetMachine {
  readonly machineName: string;
  readonly application: string;
  readonly edition: string;
  readonly machineClass: MachineClass;
  /** UUID: the one of the file, else one derived from the machine's name, so that a run can be repeated. */
  readonly cmid: string;
}

/** Why a fleet file cannot be used: each problem as `file:line: what`. */
export class FleetFileError extends MusterError {
  readonly problems: readonly string[];

  constructor(
    problems: readonly string[],
    remedy = `Columns are ${columns.join(', ')}; the last two may be left out.`,
  ) {
    super({ code: 'INPUT_INVALID', message: problems[0] ?? 'The file is wrong.', remedy });
    this.problems = problems;
  }
}

const columns = ['machine_name', 'edition', 'machine_class', 'cmid', 'application'] as const;
const requiredColumns = columns.slice(0, 3);
const mostProblems = 20;
/** Bytes of UTF-8 that a request carries (docs/protocol.md). */
const longestMachineName = 255;

interface Row {
  readonly record: Readonly<Record<string, string>>;
  readonly info: { readonly lines: number };
}

/**
 * Reads a fleet: a CSV file with a header.
 *
 * @param defaultApplication the application of rows that name none and whose edition no built-in catalogue knows.
 * @throws FleetFileError with every problem and its line; nothing has been sent then.
 */
export function readFleet(path: string, defaultApplication: string): readonly FleetMachine[] {
  const name = path === '-' ? 'standard input' : basename(path);
  const rows = parseRows(path, name);
  const known = applicationsByEdition();
  const problems: string[] = [];
  const machines: FleetMachine[] = [];
  for (const { record, info } of rows) {
    const problem = rowProblem(record);
    if (problem !== undefined) {
      problems.push(`${name}:${info.lines}: ${problem}`);
      continue;
    }
    const { machine_name: machineName = '', edition = '', machine_class: machineClass = '', cmid = '' } = record;
    machines.push({
      machineName,
      edition,
      machineClass: machineClass as MachineClass,
      application: record.application || (known.get(edition) ?? defaultApplication),
      cmid: cmid === '' ? cmidOf(machineName) : cmid.toLowerCase(),
    });
  }
  if (problems.length > 0) throw new FleetFileError(problems.slice(0, mostProblems));
  if (machines.length === 0) throw new FleetFileError([`${name}:1: the file has no machines.`]);
  return machines;
}

function parseRows(path: string, name: string): readonly Row[] {
  let text: string;
  try {
    text = readFileSync(path === '-' ? 0 : path, 'utf8');
  } catch (error) {
    throw new FleetFileError(
      [`${path} cannot be read: ${(error as Error).message}.`],
      'Name a CSV file, or - for standard input.',
    );
  }
  try {
    return parse(text, {
      bom: true,
      columns: (header: string[]) => checkHeader(header, name),
      info: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as Row[];
  } catch (error) {
    if (error instanceof FleetFileError) throw error;
    const line = (error as { lines?: number }).lines ?? 1;
    throw new FleetFileError([`${name}:${line}: ${(error as Error).message}`]);
  }
}

function checkHeader(header: readonly string[], name: string): string[] {
  const missing = requiredColumns.filter((column) => !header.includes(column));
  if (missing.length > 0) throw new FleetFileError([`${name}:1: the column ${missing.join(', ')} is missing.`]);
  const unknown = header.filter((column) => !columns.some((each) => each === column));
  if (unknown.length > 0) throw new FleetFileError([`${name}:1: the column ${unknown.join(', ')} is unknown.`]);
  return [...header];
}

function rowProblem(record: Readonly<Record<string, string>>): string | undefined {
  const {
    machine_name: machineName = '',
    edition = '',
    machine_class: machineClass = '',
    cmid = '',
    application = '',
  } = record;
  if (machineName === '' && cmid === '') return 'a machine needs a machine_name or a cmid.';
  if (Buffer.byteLength(machineName) > longestMachineName) {
    return `machine_name has more than ${longestMachineName} bytes.`;
  }
  if (/\p{Cc}/u.test(machineName)) return 'machine_name has a control character.';
  if (!isIdentifier(edition)) return `edition is "${edition}", which is no identifier such as vista-business.`;
  if (!machineClasses.some((each) => each === machineClass)) {
    return `machine_class is "${machineClass}", and it is one of ${machineClasses.join(', ')}.`;
  }
  if (cmid !== '' && parseUuid(cmid) === undefined) return `cmid is "${cmid}", which is no UUID.`;
  if (application !== '' && !isIdentifier(application))
    return `application is "${application}", which is no identifier.`;
  return undefined;
}

/** Editions of the built-in catalogues, by the one application that has them. */
function applicationsByEdition(): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [name, text] of builtInCatalogues) {
    const parsed = parseCatalogue(text, name);
    if (!parsed.ok) continue;
    for (const application of parsed.catalogue.applications.values()) {
      for (const edition of application.editions.keys()) found.set(edition, application.id);
    }
  }
  return found;
}

/** A UUID of version 8 (RFC 9562) that follows from a machine's name. */
function cmidOf(machineName: string): string {
  const bytes = createHash('sha256').update(`muster fleet machine ${machineName}`).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return formatUuid(bytes);
}
