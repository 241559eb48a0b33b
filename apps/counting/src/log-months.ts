/** A partition of the activation log that is bound to a span of time. The default partition is not among them. */
export interface LogPartition {
  /** The table's name within the schema. */
  readonly name: string;
  /** Its first instant, milliseconds since 1970; null for the partition that holds everything from before the months. */
  readonly beginsAt: number | null;
  /** The first instant that it does not hold, milliseconds since 1970. */
  readonly endsAt: number;
  /** The smallest and the largest id in it; null when it is empty. */
  readonly firstId: number | null;
  readonly lastId: number | null;
}

/** What is to be removed from the log. */
export interface LogRemovals {
  readonly partitions: readonly LogPartition[];
  /** What would be removed, if the events of all its rows had been published; everything else waits for it. */
  readonly unpublished: readonly LogPartition[];
  /** Rows of the default partition with a smaller id are removed. */
  readonly defaultBelowId: number;
}

/** How many months are made ahead of the present one. */
export const monthsAhead = 2;

/** The first instant of the month (UTC) of a time, or of one that lies some months later; milliseconds since 1970. */
export function startOfMonth(timeMs: number, monthsLater = 0): number {
  const time = new Date(timeMs);
  return Date.UTC(time.getUTCFullYear(), time.getUTCMonth() + monthsLater);
}

/** The name of the table of a month: `activation_log_2026_11`. */
export function monthName(monthMs: number): string {
  return `activation_log_${new Date(monthMs).toISOString().slice(0, 7).replace('-', '_')}`;
}

/**
 * The months that lack a partition, in order: the present one and those ahead, and months of rows that found none and
 * lie within the retention.
 *
 * @param strayMonths the months of the rows in the default partition, milliseconds since 1970.
 */
export function missingMonths(
  partitions: readonly Pick<LogPartition, 'beginsAt' | 'endsAt'>[],
  strayMonths: readonly number[],
  nowMs: number,
  retentionMonths: number,
): readonly number[] {
  const oldest = retentionMonths === 0 ? Number.NEGATIVE_INFINITY : startOfMonth(nowMs, -retentionMonths);
  const newest = startOfMonth(nowMs, monthsAhead);
  const ahead = Array.from({ length: monthsAhead + 1 }, (_, n) => startOfMonth(nowMs, n));
  const strays = strayMonths.filter((month) => month >= oldest && month <= newest);
  const isHeld = (month: number) =>
    partitions.some(({ beginsAt, endsAt }) => (beginsAt === null || beginsAt <= month) && month < endsAt);
  return [...new Set([...ahead, ...strays])].filter((month) => !isHeld(month)).sort((a, b) => a - b);
}

/**
 * What the retention removes: each month that ended before the last `retentionMonths` whole ones.
 *
 * A clock may be wrong, and what is removed is lost. So the clock is believed only when at least half of the months that
 * it says are to be kept hold rows (and two of them): a clock that jumps to 2038 finds none. And the month that leaves
 * must have been committed before the second month that is kept, whatever the clock said when it was.
 *
 * Everything else outside of the kept months (rows with a wrong time, in the default partition, in a month of the past
 * or in one to come; months that an outage has left behind) leaves with the first month that was committed after it.
 *
 * @param retentionMonths 0 keeps everything for ever.
 * @param publishedId every row up to this id has been published by every consumer.
 */
export function logRemovals(
  partitions: readonly LogPartition[],
  nowMs: number,
  retentionMonths: number,
  publishedId: number,
): LogRemovals {
  if (retentionMonths === 0) return { partitions: [], unpublished: [], defaultBelowId: 0 };
  const oldest = startOfMonth(nowMs, -retentionMonths);
  const second = startOfMonth(nowMs, 1 - retentionMonths);
  const lastAhead = startOfMonth(nowMs, monthsAhead);

  const filled = partitions.filter(isFilled);
  const kept = filled.filter(({ beginsAt, endsAt }) => endsAt > oldest && (beginsAt ?? oldest) <= nowMs);
  const believed = kept.length >= Math.max(2, Math.ceil(retentionMonths / 2));
  const keptFromSecond = kept.filter(({ beginsAt }) => beginsAt !== null && beginsAt >= second);
  const isCommittedBefore = ({ lastId }: FilledPartition) =>
    keptFromSecond.length > 0 && keptFromSecond.every(({ firstId }) => lastId < firstId);

  const due = filled.find((partition) => believed && partition.endsAt === oldest && isCommittedBefore(partition));
  const isPublished = due !== undefined && due.lastId <= publishedId;
  const defaultBelowId = isPublished ? due.firstId : 0;
  const isOutside = ({ beginsAt, endsAt }: LogPartition) => endsAt <= oldest || (beginsAt ?? oldest) > lastAhead;
  return {
    partitions: partitions.filter(
      (partition) =>
        isOutside(partition) &&
        (!isFilled(partition) || partition.lastId < defaultBelowId || (partition === due && isPublished)),
    ),
    unpublished: due !== undefined && !isPublished ? [due] : [],
    defaultBelowId,
  };
}

type FilledPartition = LogPartition & { readonly firstId: number; readonly lastId: number };

function isFilled(partition: LogPartition): partition is FilledPartition {
  return partition.firstId !== null && partition.lastId !== null;
}
