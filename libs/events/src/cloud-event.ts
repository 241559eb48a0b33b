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
  readonly data: Data;
}

/** An event and the NATS subject it is published under: `muster.v1.<kind>.<event>[.<application>.<edition>]`. */
export interface AddressedEvent<Data = unknown> {
  readonly subject: string;
  readonly event: CloudEvent<Data>;
}
