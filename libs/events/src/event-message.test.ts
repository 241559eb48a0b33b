import { headers } from '@nats-io/transport-node';
import { expect, test } from 'vitest';
import { eventOf } from '../testing/events.ts';
import { logPositionOf, toSequence } from './cloud-event.ts';
import { fromMessage, toMessage } from './event-message.ts';

test('an event is the same after its way as a message', () => {
  const { subject, headers: fields, payload } = toMessage(eventOf(7));
  expect(fromMessage({ subject, headers: fields, data: payload })).toEqual(eventOf(7));
});

test('an event in binary mode is understood', () => {
  const fields = headers();
  const { datacontenttype, data, ...attributes } = eventOf(7).event;
  for (const [name, value] of Object.entries(attributes)) fields.set(`ce-${name}`, encodeURIComponent(value));
  fields.set('Content-Type', datacontenttype);
  expect(
    fromMessage({ subject: eventOf(7).subject, headers: fields, data: Buffer.from(JSON.stringify(data)) }),
  ).toEqual(eventOf(7));
});

test('what is no event is none', () => {
  const structured = headers();
  structured.set('Content-Type', 'application/cloudevents+json');
  for (const text of [
    '',
    '{',
    'null',
    '"text"',
    '{"specversion":"0.3","id":"1","type":"a"}',
    '{"specversion":"1.0"}',
  ]) {
    expect(fromMessage({ subject: 'a', headers: structured, data: Buffer.from(text) })).toBeUndefined();
  }
  const payload = Buffer.from(JSON.stringify(eventOf(7).event));
  expect(fromMessage({ subject: 'a', data: payload })).toBeUndefined();
  expect(fromMessage({ subject: 'a', headers: headers(), data: payload })).toBeUndefined();
});

test('positions compare as texts the way they compare as numbers', () => {
  expect(toSequence(42)).toBe('0000000000000000042');
  expect([9, 10, 100].map(toSequence).toSorted()).toEqual([9, 10, 100].map(toSequence));
  expect(logPositionOf({ sequence: toSequence(Number.MAX_SAFE_INTEGER) })).toBe(Number.MAX_SAFE_INTEGER);
  for (const sequence of ['', 'x', '1.5', '-1', '9'.repeat(19), '1'.repeat(20)]) {
    expect(logPositionOf({ sequence })).toBeUndefined();
  }
});
