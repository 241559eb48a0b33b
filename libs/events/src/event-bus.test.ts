import { expect, test } from 'vitest';
import type { AddressedEvent } from './cloud-event.ts';
import { InProcessBus } from './event-bus.ts';

function eventOf(n: number): AddressedEvent {
  return {
    subject: 'muster.v1.machine.first-seen.windows.vista-business',
    event: {
      specversion: '1.0',
      id: String(n),
      source: '/muster/3f2b8c1e-7a4d-4e6f-9b0a-1c2d3e4f5a6b/counting',
      type: 'io.muster.machine.first-seen.v1',
      time: '2026-11-24T12:00:00.000Z',
      datacontenttype: 'application/json',
      data: { n },
    },
  };
}

const idsOf = (events: readonly AddressedEvent[]) => events.map(({ event }) => event.id);

test('every listener gets every event, in the order of the publication', async () => {
  const bus = new InProcessBus();
  const [one, other]: [AddressedEvent[], AddressedEvent[]] = [[], []];
  bus.subscribe((event) => one.push(event));
  bus.subscribe((event) => other.push(event));
  await Promise.all([bus.publish([eventOf(1), eventOf(2)]), bus.publish([]), bus.publish([eventOf(3)])]);
  expect(idsOf(one)).toEqual(['1', '2', '3']);
  expect(other).toEqual(one);
});

test('the bus has all events when the publication is over', async () => {
  const bus = new InProcessBus();
  const seen: AddressedEvent[] = [];
  bus.subscribe((event) => seen.push(event));
  const events = [eventOf(1), eventOf(2)];
  await bus.publish(events);
  expect(seen).toEqual(events);
});

test('a listener hears nothing of before it came or after it went, and leaves the others alone', async () => {
  const bus = new InProcessBus();
  const [leaving, staying]: [AddressedEvent[], AddressedEvent[]] = [[], []];
  await bus.publish([eventOf(1)]);
  const leave = bus.subscribe((event) => leaving.push(event));
  bus.subscribe((event) => staying.push(event));
  await bus.publish([eventOf(2)]);
  leave();
  leave();
  await bus.publish([eventOf(3)]);
  expect(idsOf(leaving)).toEqual(['2']);
  expect(idsOf(staying)).toEqual(['2', '3']);
});

test('a listener may leave while it is told of an event', async () => {
  const bus = new InProcessBus();
  const seen: string[] = [];
  const leave = bus.subscribe(({ event }) => {
    seen.push(event.id);
    leave();
  });
  await bus.publish([eventOf(1), eventOf(2)]);
  expect(seen).toEqual(['1']);
});

test('events that nobody listens to are published as well', async () => {
  await expect(new InProcessBus().publish([eventOf(1)])).resolves.toBeUndefined();
});
