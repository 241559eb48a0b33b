/**
 * An event as it goes over the bus: CloudEvents 1.0, structured JSON (DESIGN 6).
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md
 */
export interface CloudEvent<Data = unknown> {
  readonly specversion: '1.0';
  /** Unique for the source; also the de-duplication id of the bus. */
  readonly id: string;
  /** `/muster/<host id>/<service>`. */
  readonly source: string;
  /** `io.muster.<kind>.<event>.v1`. */
  readonly type: string;
  /** What it is about: `<application>/<edition>` where it has both. */
  readonly subject?: string;
  /** RFC 3339, UTC. */
  readonly time: string;
  readonly datacontenttype: 'application/json';
  /**
   * Where the event stands in the log that it comes from, zero padded, so that texts compare as numbers do (the
   * CloudEvents extension `sequence`). Left out by sources that keep no log. Numbers have gaps.
   */
  readonly sequence?: string;
  readonly data: Data;
}

/** An event and the NATS subject it is published under: `muster.v1.<kind>.<event>[.<application>.<edition>]`. */
export interface AddressedEvent<Data = unknown> {
  readonly subject: string;
  readonly event: CloudEvent<Data>;
}

/** As wide as the greatest `bigint` of PostgreSQL. */
const sequenceDigits = 19;

/** The `sequence` of a log position, a whole number from 0. */
export function toSequence(logPosition: number): string {
  return String(logPosition).padStart(sequenceDigits, '0');
}

/** The log position that an event carries; undefined when it carries none that can be read. */
export function logPositionOf(event: Pick<CloudEvent, 'sequence'>): number | undefined {
  const { sequence } = event;
  if (typeof sequence !== 'string' || !/^\d{1,19}$/.test(sequence)) return undefined;
  const position = Number(sequence);
  return Number.isSafeInteger(position) ? position : undefined;
}
