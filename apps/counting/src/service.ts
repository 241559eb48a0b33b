import type {
  CountBatch,
  CountedBatch,
  Counting,
  GetCountsRequest,
  GetCountsResponse,
} from '@muster/contracts/counting';
import type { Database } from '@muster/database';
import type { Clock, Logger } from '@muster/service-kit';
import { parseUuid, resultCodeNumber, type WireResultCodeName } from '@muster/wire-codec';
import { ruleColumns, toColumns } from './count-columns.ts';
import { listMachines } from './list-machines.ts';
import type { CountedRow, CountsRow } from './rows.ts';
import { countBatchStatement, countsStatement } from './statements.ts';

/** What counting is built from. */
export interface CountingParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called after each commit, so that a relay need not wait for its next look. */
  readonly onCommitted?: () => void;
}

/**
 * Counts machines and decides activations (DESIGN 2.2 and 4.1).
 *
 * Each batch is one SQL statement. When its answer is given, the machines and the log rows of the whole batch are
 * committed; when it failed, none of them is, and the answer says why.
 */
export function createCounting(parts: CountingParts): Counting {
  return {
    async *count(batches: AsyncIterable<CountBatch>): AsyncIterable<CountedBatch> {
      for await (const batch of batches) yield await countOne(parts, batch);
    },
    getCounts: (request) => getCounts(parts, request),
    listMachines: (request) => listMachines(parts.database, request, parts.clock.nowMs()),
  };
}

async function countOne(
  { database, clock, logger, onCommitted }: CountingParts,
  batch: CountBatch,
): Promise<CountedBatch> {
  const columns = toColumns(batch, clock.nowMs());
  if (!columns.ok) {
    logger.error({ gatewayId: batch.gatewayId, problem: columns.problem }, 'a batch breaks the contract');
    return { batchId: batch.batchId, results: [], failure: columns.problem };
  }
  try {
    const rows = await database.query<CountedRow>(countBatchStatement, columns.parameters);
    onCommitted?.();
    return { batchId: batch.batchId, results: rows.map(toCountedRequest), failure: '' };
  } catch (error) {
    logger.error(
      { err: error, gatewayId: batch.gatewayId, requests: batch.requests.length },
      'a batch was not committed',
    );
    return { batchId: batch.batchId, results: [], failure: 'The count cannot be committed at the moment.' };
  }
}

function toCountedRequest(row: CountedRow): CountedBatch['results'][number] {
  return {
    activationId: parseUuid(row.activation_id) ?? new Uint8Array(),
    code: resultCodeNumber(row.code as WireResultCodeName),
    count: row.count,
  };
}

async function getCounts({ database, clock }: CountingParts, request: GetCountsRequest): Promise<GetCountsResponse> {
  const rows = await database.query<CountsRow>(countsStatement, [clock.nowMs(), ...ruleColumns(request.rules)]);
  return {
    counts: rows.map((row) => ({
      application: row.application,
      count: Math.min(row.count_cap, row.counted),
      machinesCounted: row.counted,
      machinesKnown: row.known,
      machinesCloned: row.cloned,
    })),
  };
}
