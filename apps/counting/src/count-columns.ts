import { ResultCode } from '@muster/contracts/activation';
import type { ApplicationRules, CountBatch, CountRequest } from '@muster/contracts/counting';
import type { Parameter } from '@muster/database';
import { formatUuid, licenceStatusName, machineClassName, resultCodeName } from '@muster/wire-codec';

/** Most requests of one batch (DESIGN 4.1). */
export const maximumBatchRequests = 256;

/** A batch as the parameters of `countBatchStatement`, or what is wrong with it. */
export type BatchColumns =
  | { readonly ok: true; readonly parameters: readonly Parameter[] }
  | { readonly ok: false; readonly problem: string };

/**
 * Turns a batch into parallel columns.
 *
 * A gateway that keeps to the contract never sends a batch that is refused here; one that does not must not reach SQL.
 *
 * @param nowMs the time at which the batch is counted, milliseconds since 1970.
 */
export function toColumns(batch: CountBatch, nowMs: number): BatchColumns {
  const { requests, rules } = batch;
  if (requests.length === 0 || requests.length > maximumBatchRequests) {
    return {
      ok: false,
      problem: `A batch has 1 to ${maximumBatchRequests} requests, and this one has ${requests.length}.`,
    };
  }
  const applications = new Set(rules.map((rule) => rule.application));
  if (applications.size !== rules.length) return { ok: false, problem: 'The rules name an application twice.' };
  for (const [index, request] of requests.entries()) {
    const problem = requestProblem(request, applications);
    if (problem !== undefined) return { ok: false, problem: `Request ${index} of the batch: ${problem}` };
  }
  const column = <T extends string | number | boolean | null>(value: (request: CountRequest) => T): T[] =>
    requests.map(value);
  return {
    ok: true,
    parameters: [
      nowMs,
      batch.gatewayId,
      column((request) => request.application),
      column((request) => request.edition),
      column((request) => formatUuid(request.cmid)),
      column((request) => (request.previousCmid.length === 0 ? null : formatUuid(request.previousCmid))),
      column((request) => machineClassName(request.machineClass) ?? ''),
      column((request) => request.machineName),
      column((request) => Buffer.from(request.fingerprint).toString('hex')),
      column((request) => licenceStatusName(request.licenceStatus) ?? ''),
      column((request) => request.clientVersion),
      column((request) => request.remoteAddress),
      column((request) => request.raisesCount),
      column((request) => request.threshold),
      column((request) => resultCodeName(request.refusal) ?? ''),
      ...ruleColumns(rules),
    ],
  };
}

/** The rules as the last three parameters of the statements that need them. */
export function ruleColumns(rules: readonly ApplicationRules[]): readonly Parameter[] {
  return [
    rules.map((rule) => rule.application),
    rules.map((rule) => rule.countCap),
    rules.map((rule) => rule.countRetentionMinutes),
  ];
}

function requestProblem(request: CountRequest, applications: ReadonlySet<string>): string | undefined {
  if (request.cmid.length !== 16) return `the CMID has ${request.cmid.length} bytes, not 16.`;
  if (request.previousCmid.length !== 0 && request.previousCmid.length !== 16) {
    return `the previous CMID has ${request.previousCmid.length} bytes, not 16.`;
  }
  if (machineClassName(request.machineClass) === undefined) return 'the machine class is unknown.';
  if (licenceStatusName(request.licenceStatus) === undefined) return 'the licence status is unknown.';
  if (request.refusal !== ResultCode.UNSPECIFIED) return undefined;
  if (request.threshold < 1) return `the threshold is ${request.threshold}, and the least is 1.`;
  if (!applications.has(request.application)) return `no rules are given for the application ${request.application}.`;
  return undefined;
}
