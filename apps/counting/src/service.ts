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
import { Drain } from './drain.ts';
import { listMachines } from './list-machines.ts';
import type { CountedRow, CountsRow } from './rows.ts';
import { countBatchStatement, countsStatement, probeStatement } from './statements.ts';

/** What counting is built from. */
export interface CountingParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called after each commit, so that a relay need not wait for its next look. */
  readonly onCommitted?: () => void;
}

/** Counting, with an end in order. */
export interface DrainableCounting extends Counting {
  /**
   * Ends each stream of batches after the batch that is being counted, whose answer is still given; a stream that comes
   * later ends at once. What was not answered then was not counted, and gateways give it to another replica.
   *
   * Returns at once: the server that carries the streams waits for their end.
   */
  drain(): void;
  /** What was done since the start. Counters only grow. */
  readonly statistics: CountingStatistics;
}

/** What counting has done since it started. */
export interface CountingStatistics {
  /** Batches that were committed. */
  batches: number;
  /** Requests in them. */
  requests: number;
  /** Batches that were not committed. */
  failedBatches: number;
}

const cannotCommit = 'The count cannot be committed at the moment.';

/**
 * Counts machines and decides activations (DESIGN 2.2 and 4.1).
 *
 * Each batch is one SQL statement. When its answer is given, the machines and the log rows of the whole batch are
 * committed; when it failed, none of them is, and the answer says why. An empty batch asks whether one could be
 * committed.
 */
export function createCounting(parts: CountingParts): DrainableCounting {
  const drain = new Drain();
  const statistics: CountingStatistics = { batches: 0, requests: 0, failedBatches: 0 };
  const counted = (batch: CountBatch, answer: CountedBatch) => {
    if (answer.failure !== '') statistics.failedBatches += 1;
    else {
      statistics.batches += 1;
      statistics.requests += batch.requests.length;
    }
    return answer;
  };
  return {
    statistics,
    async *count(batches: AsyncIterable<CountBatch>): AsyncIterable<CountedBatch> {
      for await (const batch of drain.until(batches)) {
        yield batch.requests.length === 0 ? await probe(parts, batch) : counted(batch, await countOne(parts, batch));
      }
    },
    drain: () => drain.begin(),
    getCounts: (request) => getCounts(parts, request),
    listMachines: (request) => listMachines(parts.database, request, parts.clock.nowMs()),
  };
}

async function probe({ database, logger }: CountingParts, { batchId }: CountBatch): Promise<CountedBatch> {
  try {
    const [row] = await database.query<{ writable: boolean }>(probeStatement);
    return { batchId, results: [], failure: row?.writable ? '' : cannotCommit };
  } catch (error) {
    // Gateways ask again and again; the first batch that failed has been logged.
    logger.debug({ err: error }, 'the database cannot be reached');
    return { batchId, results: [], failure: cannotCommit };
  }
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
    return { batchId: batch.batchId, results: [], failure: cannotCommit };
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
