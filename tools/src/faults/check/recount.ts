import type { Catalogue } from '@muster/product-groups';
import type { LogRow, MachineRow } from './log-row.ts';
import type { Violations } from './violation.ts';

/** A machine as the log tells of it. */
interface Machine {
  readonly application: string;
  readonly cmid: string;
  edition: string;
  machineClass: string;
  raisesCount: boolean;
  readonly firstRequestMs: number;
  lastRequestMs: number;
  requests: number;
  lastCode: string;
  lastName: string;
  lastFingerprint: string;
}

const millisecondsPerDay = 24 * 60 * 60 * 1000;
const judgedByCount = new Set(['GRANTED', 'COUNT_INSUFFICIENT']);

/**
 * Counts the activation log again, row by row in the order of ids, by the words of DESIGN 2.2 and nothing else: what
 * counting wrote has to come out. Written on its own, so that it shares no mistake with counting's SQL or its model:
 * of Muster it takes the catalogue's numbers.
 */
export class Recount {
  readonly #catalogue: Catalogue;
  readonly #violations: Violations;
  readonly #machines = new Map<string, Machine>();
  #lastId = 0;

  constructor(catalogue: Catalogue, violations: Violations) {
    this.#catalogue = catalogue;
    this.#violations = violations;
  }

  /** Takes rows that follow those of the call before. */
  add(rows: readonly LogRow[]): void {
    for (const row of rows) this.#addRow(row);
  }

  /** Compares the machine table with what the log says, both as of the same moment. */
  compareMachines(rows: readonly MachineRow[]): void {
    const missing = new Set(this.#machines.keys());
    for (const row of rows) {
      const key = keyOf(row);
      missing.delete(key);
      const machine = this.#machines.get(key);
      if (machine === undefined) {
        this.#violations.add('machine-not-in-log', 'The machine table has a machine that the log never counted.', row);
        continue;
      }
      const { lastName, lastFingerprint, ...expected } = machine;
      if (Object.entries(expected).some(([name, value]) => row[name as keyof MachineRow] !== value)) {
        this.#violations.add('machine-differs', 'The machine table says other than the log.', { table: row, expected });
      }
    }
    for (const key of missing) {
      const expected = this.#machines.get(key);
      this.#violations.add('machine-missing', 'A machine that the log counted is not in the machine table.', expected);
    }
  }

  #addRow(row: LogRow): void {
    if (row.id <= this.#lastId) {
      this.#violations.add('log-order', 'A row of the log came behind rows with greater ids.', row);
    }
    this.#lastId = row.id;
    const application = [...this.#catalogue.applications.values()].find(({ id }) => id === row.application);
    if (!judgedByCount.has(row.code)) {
      this.#checkRefused(row, application === undefined ? 0 : this.#count(row));
      return;
    }
    const edition = [...(application?.editions.values() ?? [])].find(({ id }) => id === row.edition);
    if (application === undefined || edition === undefined) {
      this.#violations.add('unknown-edition', 'The log counted a request for what the catalogue does not know.', row);
      return;
    }
    const key = keyOf(row);
    const before = this.#machines.get(key);
    const expectedCloned =
      before !== undefined &&
      (differ(before.lastName, row.machineName) || differ(before.lastFingerprint, row.fingerprint));
    this.#machines.set(key, {
      application: row.application,
      cmid: row.cmid,
      edition: row.edition,
      machineClass: row.machineClass,
      raisesCount: row.machineClass === 'physical' || application.countVirtualMachines,
      firstRequestMs: before?.firstRequestMs ?? row.occurredAtMs,
      lastRequestMs: Math.max(before?.lastRequestMs ?? row.occurredAtMs, row.occurredAtMs),
      requests: (before?.requests ?? 0) + 1,
      lastCode: row.code,
      lastName: row.machineName === '' ? (before?.lastName ?? '') : row.machineName,
      lastFingerprint: row.fingerprint === '' ? (before?.lastFingerprint ?? '') : row.fingerprint,
    });
    const count = this.#count(row);
    if (row.code === 'GRANTED' && count < edition.threshold) {
      this.#violations.add('granted-below-threshold', `A machine was granted with a count of ${count}.`, row);
    }
    this.#expect(row, {
      code: count >= edition.threshold ? 'GRANTED' : 'COUNT_INSUFFICIENT',
      count,
      threshold: edition.threshold,
      firstSeen: before === undefined,
      cloned: expectedCloned,
    });
  }

  #checkRefused(row: LogRow, count: number): void {
    this.#expect(row, { code: row.code, count, threshold: 0, firstSeen: false, cloned: false });
  }

  #expect(row: LogRow, expected: Pick<LogRow, 'code' | 'count' | 'threshold' | 'firstSeen' | 'cloned'>): void {
    const { code, count, threshold, firstSeen, cloned } = row;
    if (JSON.stringify(expected) === JSON.stringify({ code, count, threshold, firstSeen, cloned })) return;
    this.#violations.add('recount-differs', 'Counting the log again gives another result.', { row, expected });
  }

  /** The reported count of the row's application at the time of the row. */
  #count({ application: applicationName, occurredAtMs }: LogRow): number {
    const application = [...this.#catalogue.applications.values()].find(({ id }) => id === applicationName);
    if (application === undefined) return 0;
    const retentionMs = application.countRetentionDays * millisecondsPerDay;
    let count = 0;
    for (const machine of this.#machines.values()) {
      const isYoung = occurredAtMs - machine.lastRequestMs < retentionMs;
      if (machine.application === applicationName && machine.raisesCount && isYoung) count += 1;
    }
    const highestThreshold = Math.max(...[...application.editions.values()].map(({ threshold }) => threshold));
    return Math.min(count, 2 * highestThreshold);
  }
}

function keyOf({ application, cmid }: { readonly application: string; readonly cmid: string }): string {
  return `${application}/${cmid}`;
}

/** Whether two names or fingerprints show two machines: what is withheld shows nothing. */
function differ(one: string, other: string): boolean {
  return one !== '' && other !== '' && one !== other;
}
