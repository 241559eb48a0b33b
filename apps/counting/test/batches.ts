import { MachineClass, ResultCode } from '@muster/contracts/activation';
import type { CountBatch, CountedBatch, Counting, CountRequest } from '@muster/contracts/counting';
import type { CountableRequest } from '@muster/product-groups';
import { parseUuid } from '@muster/wire-codec';

export const retentionMinutes = 30 * 24 * 60;
export const countCap = 50;

/** The n-th CMID. */
export function cmidOf(n: number): string {
  return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
}

/** A batch of one application. A request that raises the count comes from a physical machine, another from a virtual one. */
export function batchOf(application: string, requests: readonly CountableRequest[], gatewayId = 'gateway'): CountBatch {
  return {
    batchId: 1,
    gatewayId,
    rules: [{ application, countCap, countRetentionMinutes: retentionMinutes }],
    requests: requests.map((each) => requestOf(application, each)),
  };
}

function requestOf(application: string, each: CountableRequest): CountRequest {
  return {
    application,
    edition: 'an-edition',
    cmid: parseUuid(each.cmid) ?? new Uint8Array(),
    previousCmid: new Uint8Array(),
    machineClass: each.raisesCount ? MachineClass.PHYSICAL : MachineClass.VIRTUAL,
    machineName: each.machineName,
    fingerprint: Buffer.from(each.fingerprint, 'hex'),
    licenceStatus: 1,
    clientVersion: 'test/1',
    remoteAddress: '127.0.0.1',
    raisesCount: each.raisesCount,
    threshold: each.threshold,
    refusal: each.refusal === undefined ? ResultCode.UNSPECIFIED : ResultCode.PRODUCT_NOT_COVERED,
  };
}

/** Sends one batch and returns its answer, of which nothing is checked. */
export async function ask(counting: Pick<Counting, 'count'>, batch: CountBatch): Promise<CountedBatch> {
  for await (const answer of counting.count(only(batch))) return answer;
  throw new Error('the batch was not answered');
}

async function* only<T>(value: T): AsyncIterable<T> {
  yield value;
}
