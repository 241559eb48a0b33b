import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { baseline, type Contracts, type Method, today } from './contracts.ts';
import { differences, unknownFields, wholeMessages } from './messages.ts';
import { callerOf, type Exchange, serve } from './peer.ts';

/**
 * The contracts of the last release next to today's, over real gRPC: what one side sends, the other one reads as it was
 * meant, and what a side does not know yet does no harm.
 */
const shared = [...baseline.methods.keys()].filter((path) => today.methods.has(path));

/** A side that is newer than both: each of its messages has more than the other one knows. */
function withMore(method: Method): Method {
  const { requestSerialize, responseSerialize } = method;
  return {
    ...method,
    requestSerialize: (value) => Buffer.concat([requestSerialize(value), unknownFields]),
    responseSerialize: (value) => Buffer.concat([responseSerialize(value), unknownFields]),
  };
}

test('every method of the last release is there', () => {
  expect(shared).toEqual([...baseline.methods.keys()]);
  expect(shared.length).toBeGreaterThan(5);
});

describe.each<[string, Contracts, Contracts, (method: Method) => Method]>([
  ['an old client calls a new server', baseline, today, (method) => method],
  ['a new client calls an old server', today, baseline, (method) => method],
  ['a client of a release to come calls a new server', baseline, today, withMore],
  ['a client of a release to come calls an old server', today, baseline, withMore],
])('%s:', (_, ofClient, ofServer, released) => {
  test.each(shared)('%s', async (path) => {
    const [client, server] = [ofClient.methods.get(path), ofServer.methods.get(path)];
    if (client === undefined || server === undefined) throw new Error(`${path} is not there`);
    const { input: clientInput, output: clientOutput } = client.descriptor;
    const { input: serverInput, output: serverOutput } = server.descriptor;
    const exchange: Exchange = { asked: [], answers: [] };
    const address = await serve(released(server.definition), exchange);
    const call = callerOf(released(client.definition), address);
    const many = { minLength: 1, maxLength: 4 };
    const one = { minLength: 1, maxLength: 1 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(wholeMessages(clientInput), client.definition.requestStream ? many : one),
        fc.array(wholeMessages(serverOutput), client.definition.responseStream ? many : one),
        async (questions, answers) => {
          exchange.asked = [];
          exchange.answers = answers.map((bytes) => server.definition.responseDeserialize(Buffer.from(bytes)));
          const asked = questions.map((bytes) => client.definition.requestDeserialize(Buffer.from(bytes)));
          const answered = await call(asked);
          expect(exchange.asked.length).toBe(asked.length);
          expect(answered.length).toBe(answers.length);
          for (const [index, question] of asked.entries()) {
            const arrived = exchange.asked[index] ?? {};
            expect(differences([clientInput, question], [serverInput, arrived])).toEqual([]);
          }
          for (const [index, answer] of exchange.answers.entries()) {
            const arrived = answered[index] ?? {};
            expect(differences([serverOutput, answer], [clientOutput, arrived])).toEqual([]);
          }
        },
      ),
      { numRuns: 25 },
    );
  });
});

describe('a message of', () => {
  const names = [...baseline.messages.keys()];

  test('each kind of the last release is there, or its number is reserved for good', () => {
    expect(names.filter((name) => !today.messages.has(name))).toEqual([]);
  });

  test.each(names)('%s is read by the other release as it was meant, with what it does not know left out', (name) => {
    for (const [from, to] of [
      [baseline, today],
      [today, baseline],
    ] as const) {
      const [writer, reader] = [from.messages.get(name), to.messages.get(name)];
      if (writer === undefined || reader === undefined) throw new Error(`${name} is not there`);
      fc.assert(
        fc.property(wholeMessages(writer.descriptor), (bytes) => {
          const written = writer.codec.decode(bytes);
          const sent = writer.codec.encode(written).finish();
          const read = reader.codec.decode(Buffer.concat([sent, unknownFields]));
          expect(differences([writer.descriptor, written], [reader.descriptor, read])).toEqual([]);
        }),
      );
    }
  });
});
