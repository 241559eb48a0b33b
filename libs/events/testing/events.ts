import { setTimeout as delay } from 'node:timers/promises';
import { type AddressedEvent, toSequence } from '../src/cloud-event.ts';
import type { NatsBus } from '../src/nats-bus.ts';
import type { StreamedEvent } from '../src/read-stream.ts';

/** An event of the activation log at a position. */
export function eventOf(position: number, data: unknown = { position }): AddressedEvent {
  return {
    subject: 'muster.v1.activation.granted.windows.vista-business',
    event: {
      specversion: '1.0',
      id: `event-${position}`,
      source: '/muster/3f2b8c1e-7a4d-4e6f-9b0a-1c2d3e4f5a6b/counting',
      type: 'io.muster.activation.granted.v1',
      time: '2026-11-24T12:00:00.000Z',
      datacontenttype: 'application/json',
      sequence: toSequence(position),
      data,
    },
  };
}

/** Events at the positions from `first` to `last`. */
export function eventsOf(first: number, last: number): AddressedEvent[] {
  return Array.from({ length: last - first + 1 }, (_, index) => eventOf(first + index));
}

/** Reads a stream from its beginning until it gave so many events, or fails after 20 seconds. */
export async function readAll(bus: NatsBus, count: number): Promise<StreamedEvent[]> {
  const ending = new AbortController();
  const timer = setTimeout(() => ending.abort(), 20_000);
  const events: StreamedEvent[] = [];
  for await (const event of bus.read({ signal: ending.signal })) {
    events.push(event);
    if (events.length >= count) break;
  }
  clearTimeout(timer);
  if (events.length < count) throw new Error(`${events.length} events came, not ${count}`);
  return events;
}

/** Waits until a condition holds, or fails after 20 seconds. */
export async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`);
    await delay(20);
  }
}
