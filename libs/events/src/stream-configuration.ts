import { MusterError } from '@muster/product-groups';
import { DiscardPolicy, RetentionPolicy, StorageType, type StreamConfig } from '@nats-io/jetstream';

/** Everything that Muster tells the world is under this, and in the stream. Announcements of gateways are not. */
export const streamSubjects = 'muster.v1.>';

/** What the stream is made with. It is not changed afterwards: `nats stream edit` does that. */
export interface StreamOptions {
  /** The stream's name; `MUSTER` unless told. */
  readonly name?: string;
  /** Servers that hold a copy: 1, 3 or 5; 1 unless told. With 3, a power failure of one loses nothing. */
  readonly replicas?: number;
  /** Milliseconds that events are kept; 30 days unless told. 0 keeps them until `maximumBytes` is reached. */
  readonly maximumAgeMs?: number;
  /** Bytes of events that are kept at most, then the oldest go; 4 GiB unless told. */
  readonly maximumBytes?: number;
  /** Milliseconds in which an event that comes twice is stored once; 2 minutes unless told. */
  readonly duplicateWindowMs?: number;
}

const dayMs = 24 * 60 * 60 * 1000;
const gibibyte = 1024 ** 3;
const nanosecondsPerMs = 1_000_000;

/** What holds where nothing else is told. */
export const defaultStreamOptions: Required<StreamOptions> = {
  name: 'MUSTER',
  replicas: 1,
  maximumAgeMs: 30 * dayMs,
  maximumBytes: 4 * gibibyte,
  duplicateWindowMs: 2 * 60 * 1000,
};

/** The options of a stream as an operator sets them: `MUSTER_NATS_STREAM_REPLICAS`, `..._MAX_AGE_DAYS`, `..._MAX_GIB`. */
export function streamOptions(settings: {
  readonly replicas?: number | undefined;
  readonly maximumAgeDays?: number | undefined;
  readonly maximumGib?: number | undefined;
}): StreamOptions {
  const { replicas, maximumAgeDays, maximumGib } = settings;
  return {
    ...(replicas === undefined ? {} : { replicas }),
    ...(maximumAgeDays === undefined ? {} : { maximumAgeMs: maximumAgeDays * dayMs }),
    ...(maximumGib === undefined ? {} : { maximumBytes: maximumGib * gibibyte }),
  };
}

/** The configuration that a stream is made with. */
export function toConfiguration(options: Required<StreamOptions>): Partial<StreamConfig> & { name: string } {
  return {
    name: options.name,
    description: 'Events of Muster: CloudEvents in JSON.',
    subjects: [streamSubjects],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    num_replicas: options.replicas,
    max_age: options.maximumAgeMs * nanosecondsPerMs,
    max_bytes: options.maximumBytes,
    duplicate_window: duplicateWindowMs(options) * nanosecondsPerMs,
  };
}

/** NATS refuses a window that is longer than events are kept. */
function duplicateWindowMs({ duplicateWindowMs, maximumAgeMs }: Required<StreamOptions>): number {
  return maximumAgeMs === 0 ? duplicateWindowMs : Math.min(duplicateWindowMs, maximumAgeMs);
}

/** Milliseconds that a stream keeps events; 0 when their age is no limit. */
export function maximumAgeOf(configuration: Pick<StreamConfig, 'max_age'>): number {
  return configuration.max_age / nanosecondsPerMs;
}

/**
 * Checks that a stream keeps what it acknowledges.
 *
 * @returns what differs from the options and does no harm, a phrase each: an operator may have set it.
 * @throws MusterError `STREAM_UNUSABLE` naming everything by which events could be lost.
 */
export function checkConfiguration(present: StreamConfig, options: Required<StreamOptions>): readonly string[] {
  const problems = [
    present.storage === StorageType.File || `it keeps events in ${present.storage}, not in files`,
    isOnly(present.subjects, streamSubjects) ||
      `its subjects are ${present.subjects?.join(', ') ?? 'none'}, not ${streamSubjects}`,
    present.retention === RetentionPolicy.Limits || `its retention is ${present.retention}, not limits`,
    present.no_ack !== true || 'it acknowledges nothing',
    present.sealed !== true || 'it is sealed',
    present.persist_mode !== 'async' || 'it acknowledges before it writes',
    (present.mirror === undefined && !present.sources?.length) || 'it is filled from another stream',
  ].filter((problem) => typeof problem === 'string');
  if (problems.length > 0) {
    throw new MusterError({
      code: 'STREAM_UNUSABLE',
      message: `The JetStream stream ${options.name} would lose events: ${problems.join('; ')}.`,
      remedy: `Correct it by \`nats stream edit ${options.name}\`, or delete it: it is made again and filled from the log.`,
    });
  }
  const wanted = toConfiguration(options);
  return (['num_replicas', 'max_age', 'max_bytes', 'duplicate_window'] as const)
    .filter((name) => present[name] !== wanted[name])
    .map((name) => `${name} is ${present[name]}, not ${wanted[name]}`);
}

function isOnly(values: readonly string[] | undefined, value: string): boolean {
  return values?.length === 1 && values[0] === value;
}
