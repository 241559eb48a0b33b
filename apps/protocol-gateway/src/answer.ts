import { ResultCode } from '@muster/contracts/activation';
import type { ApplicationRules, CountBatch, CountedRequest, CountRequest } from '@muster/contracts/counting';
import { type Application, countCap, type Judgement, raisesCount } from '@muster/product-groups';
import {
  type ActivationResult,
  formatUuid,
  licenceStatusNumber,
  machineClassNumber,
  parseUuid,
  type ReceivedActivationRequest,
  resultCodeName,
  resultCodeNumber,
  type WireResultCodeName,
} from '@muster/wire-codec';
import type { PolicyView } from './policy-view.ts';

/** A request that was judged against the policy and waits for counting. */
export interface JudgedRequest {
  readonly request: ReceivedActivationRequest;
  readonly remoteAddress: string;
  readonly judgement: Judgement;
  /** The policy that it was judged by. */
  readonly view: PolicyView;
}

const minutesPerDay = 24 * 60;
const millisecondsPerMinute = 60_000;
const none = new Uint8Array();

/** The batch that counting gets: the requests, and the rules of the applications that they name (DESIGN 4.1). */
export function toCountBatch(batchId: number, gatewayId: string, judged: readonly JudgedRequest[]): CountBatch {
  const rules = new Map<string, ApplicationRules>();
  const requests = judged.map((each) => {
    const application = applicationOf(each);
    if (application !== undefined && !rules.has(application.id)) rules.set(application.id, countRules(application));
    return toCountRequest(each);
  });
  return { batchId, gatewayId, rules: [...rules.values()], requests };
}

/** The rules by which counting counts an application. */
export function countRules(application: Application): ApplicationRules {
  return {
    application: application.id,
    countCap: countCap(application),
    countRetentionMinutes: application.countRetentionDays * minutesPerDay,
  };
}

/** The result that a client gets, of a request and of what counting committed. */
export function toResult(judged: JudgedRequest, counted: CountedRequest, nowMs: number): ActivationResult {
  const { request, judgement, view } = judged;
  const code = codeOf(counted);
  const application = applicationOf(judged);
  const intervals = application === undefined ? undefined : view.intervalsOf(application);
  const granted = code === 'GRANTED' && application !== undefined;
  const validityMinutes = granted ? application.validityDays * minutesPerDay : 0;
  return {
    code,
    nonce: request.nonce,
    application: request.application,
    edition: request.edition,
    cmid: request.cmid,
    count: counted.count,
    threshold: judgement.ok ? judgement.edition.threshold : 0,
    activationIntervalMinutes: intervals?.activationIntervalMinutes ?? 0,
    renewalIntervalMinutes: intervals?.renewalIntervalMinutes ?? 0,
    validityMinutes,
    issuedAtMs: nowMs,
    expiresAtMs: granted ? nowMs + validityMinutes * millisecondsPerMinute : 0,
    hostId: view.hostId,
    activationId: formatUuid(counted.activationId),
    graceMinutes: (application?.graceDays ?? 0) * minutesPerDay,
  };
}

/** Whether an answer of counting can be told to a client: a decision that the log has under an id. */
export function isDecision(counted: CountedRequest): boolean {
  return resultCodeName(counted.code) !== undefined && counted.activationId.length === 16;
}

function codeOf(counted: CountedRequest): WireResultCodeName {
  const code = resultCodeName(counted.code);
  if (code === undefined) throw new Error('the link lets only decisions pass');
  return code;
}

/** The application that a request names, also where it was refused; undefined when the catalogue knows none. */
function applicationOf({ request, judgement, view }: JudgedRequest): Application | undefined {
  return judgement.ok ? judgement.application : view.catalogue?.applications.get(request.application);
}

function toCountRequest({ request, remoteAddress, judgement }: JudgedRequest): CountRequest {
  return {
    application: request.application,
    edition: request.edition,
    cmid: parseUuid(request.cmid) ?? none,
    previousCmid: request.previousCmid === undefined ? none : (parseUuid(request.previousCmid) ?? none),
    machineClass: machineClassNumber(request.machineClass),
    machineName: request.machineName ?? '',
    fingerprint: request.fingerprint ?? none,
    licenceStatus: licenceStatusNumber(request.licenceStatus),
    clientVersion: request.clientVersion,
    remoteAddress,
    raisesCount: judgement.ok && raisesCount(judgement.application, request.machineClass),
    threshold: judgement.ok ? judgement.edition.threshold : 0,
    refusal: judgement.ok ? ResultCode.UNSPECIFIED : resultCodeNumber(judgement.code),
  };
}
