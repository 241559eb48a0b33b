import { headers, type MsgHdrs } from '@nats-io/transport-node';
import type { AddressedEvent, CloudEvent } from './cloud-event.ts';

/** The CloudEvents binding for NATS recognises structured events by this media type alone. */
const structuredType = 'application/cloudevents+json';

/** Intermediaries of CloudEvents forward events up to this size; ours stay far below. */
export const maximumEventBytes = 64 * 1024;

/** A token is a word between the dots of a subject; free text could change who gets the event. */
const subjectPattern = /^muster\.v1(\.[A-Za-z0-9_-]{1,64}){2,6}$/;

/** An event as a NATS message. */
export interface EventMessage {
  readonly subject: string;
  readonly headers: MsgHdrs;
  readonly payload: Uint8Array;
}

/**
 * An event as a NATS message: structured CloudEvents JSON.
 *
 * @throws Error when the subject has other tokens than letters, digits, `_` and `-`, or the event is larger than 64 KiB:
 * both are mistakes of the program, because every part of an event is bounded where it enters.
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/nats-protocol-binding.md
 */
export function toMessage({ subject, event }: AddressedEvent): EventMessage {
  if (!subjectPattern.test(subject)) throw new Error(`an event cannot have the subject ${JSON.stringify(subject)}`);
  const payload = Buffer.from(JSON.stringify(event));
  if (payload.byteLength > maximumEventBytes) {
    throw new Error(`the event ${event.id} has ${payload.byteLength} bytes, more than ${maximumEventBytes}`);
  }
  const fields = headers();
  fields.set('Content-Type', structuredType);
  return { subject, headers: fields, payload };
}

/** Parts of a message that an event is read from. */
export interface ReceivedMessage {
  readonly subject: string;
  readonly headers?: Pick<MsgHdrs, 'get' | 'keys'> | undefined;
  readonly data: Uint8Array;
}

/**
 * The event of a NATS message, in structured mode or, as others may send it, in binary mode (headers `ce-...`).
 * Undefined when it is neither.
 */
export function fromMessage({ subject, headers: fields, data }: ReceivedMessage): AddressedEvent | undefined {
  const structured = fields?.get('Content-Type').toLowerCase().startsWith(structuredType) === true;
  const event = structured ? parseObject(data) : fields === undefined ? undefined : binaryEvent(fields, data);
  if (event?.specversion !== '1.0' || typeof event.id !== 'string' || typeof event.type !== 'string') return undefined;
  return { subject, event: event as unknown as CloudEvent };
}

function binaryEvent(fields: Pick<MsgHdrs, 'get' | 'keys'>, data: Uint8Array): Record<string, unknown> {
  const attributes = fields
    .keys()
    .filter((key) => key.toLowerCase().startsWith('ce-'))
    .map((key) => [key.slice(3).toLowerCase(), decodeURIComponentLeniently(fields.get(key))]);
  return { ...Object.fromEntries(attributes), datacontenttype: 'application/json', data: parseObject(data) };
}

/** Header values of the binding are percent-encoded; a stray `%` is left as it is. */
function decodeURIComponentLeniently(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function parseObject(data: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(data).toString());
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
