import type { MachineIdentity } from './clone.ts';
import { isClone } from './clone.ts';
import { isCounted, isGranted } from './counting.ts';
import type { ResultCodeName } from './result-codes.ts';

/** What is known of one CMID within one application. */
export interface KnownMachine extends MachineIdentity {
  /** The first request ever, in epoch milliseconds. */
  readonly firstRequestMs: number;
  /** The last request, in epoch milliseconds; it never moves back. */
  readonly lastRequestMs: number;
  /** Whether the machine raises the count, by the class of its latest request. */
  readonly raisesCount: boolean;
  /** When the CMID was first seen on a second machine, in epoch milliseconds; absent when never. */
  readonly clonedSinceMs?: number;
}

/** One request as counting sees it: what the gateway took from the request and from the catalogue. */
export interface CountableRequest extends MachineIdentity {
  /** The CMID, a UUID in its usual text form. */
  readonly cmid: string;
  /** Whether a machine of its class raises the count, by the catalogue (`raisesCount`). */
  readonly raisesCount: boolean;
  /** The count that its edition needs. */
  readonly threshold: number;
  /** Set when the gateway has refused the request already: then it changes nothing. */
  readonly refusal?: ResultCodeName;
}

/** The rules of the one application that a batch is counted for. */
export interface CountRules {
  /** The highest count that is reported (`countCap`). */
  readonly countCap: number;
  /** How long a CMID stays in the count after its last request, in milliseconds. */
  readonly countRetentionMs: number;
}

/** What became of one request. */
export interface CountDecision {
  /** `GRANTED`, `COUNT_INSUFFICIENT`, or the refusal that the request came with. */
  readonly code: ResultCodeName;
  /** The machines in the count right after this request, at most the cap. */
  readonly count: number;
  readonly threshold: number;
  /** Whether the CMID had never been counted before; never for a refused request. */
  readonly firstSeen: boolean;
  /** Whether this request shows another machine than was known by the CMID; never for a refused request. */
  readonly cloned: boolean;
}

/** What a batch leads to: the machines known afterwards, and one decision for each request, in their order. */
export interface CountedBatch {
  readonly machines: ReadonlyMap<string, KnownMachine>;
  readonly decisions: readonly CountDecision[];
}

/**
 * The rules of counting (DESIGN 2.2) for a batch of requests of one application: each in its order is counted first,
 * then judged. This is the model that faster ones are held to: it is meant to be obviously right, not fast.
 *
 * @param machines the machines known before, by CMID; left as they are
 * @param nowMs when the batch is counted, in epoch milliseconds
 */
export function countBatch(
  machines: ReadonlyMap<string, KnownMachine>,
  requests: readonly CountableRequest[],
  rules: CountRules,
  nowMs: number,
): CountedBatch {
  const known = new Map(machines);
  const decisions = requests.map((request): CountDecision => {
    const { threshold } = request;
    if (request.refusal !== undefined) {
      const count = reportedCount(known, rules, nowMs);
      return { code: request.refusal, count, threshold, firstSeen: false, cloned: false };
    }
    const before = known.get(request.cmid);
    known.set(request.cmid, before === undefined ? newMachine(request, nowMs) : renewed(before, request, nowMs));
    const count = reportedCount(known, rules, nowMs);
    return {
      code: isGranted(count, threshold) ? 'GRANTED' : 'COUNT_INSUFFICIENT',
      count,
      threshold,
      firstSeen: before === undefined,
      cloned: before !== undefined && isClone(before, request),
    };
  });
  return { machines: known, decisions };
}

function reportedCount(machines: ReadonlyMap<string, KnownMachine>, rules: CountRules, nowMs: number): number {
  const counted = [...machines.values()].filter((machine) => isCounted(machine, rules.countRetentionMs, nowMs));
  return Math.min(rules.countCap, counted.length);
}

function newMachine(request: CountableRequest, nowMs: number): KnownMachine {
  const { fingerprint, machineName, raisesCount } = request;
  return { firstRequestMs: nowMs, lastRequestMs: nowMs, raisesCount, fingerprint, machineName };
}

function renewed(before: KnownMachine, request: CountableRequest, nowMs: number): KnownMachine {
  const clonedSinceMs = before.clonedSinceMs ?? (isClone(before, request) ? nowMs : undefined);
  return {
    firstRequestMs: before.firstRequestMs,
    // The clock of the site may have been set back; that must not put a machine out of the count sooner.
    lastRequestMs: Math.max(before.lastRequestMs, nowMs),
    raisesCount: request.raisesCount,
    // The latest identity is kept, so that a machine renamed once is reported once; what is withheld erases nothing.
    fingerprint: request.fingerprint || before.fingerprint,
    machineName: request.machineName || before.machineName,
    ...(clonedSinceMs === undefined ? {} : { clonedSinceMs }),
  };
}
