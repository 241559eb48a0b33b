import { AsyncQueue } from '@muster/service-kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Drain } from './drain.ts';

/** What was read of a stream until now, and what resolves when it has ended. */
function readAll<T>(values: AsyncIterable<T>) {
  const read: T[] = [];
  const ended = (async () => {
    for await (const value of values) read.push(value);
  })();
  return { read, ended };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('values pass in order until they end', async () => {
  const source = new AsyncQueue<number>();
  for (const value of [1, 2, 3]) source.push(value);
  source.end();
  const { read, ended } = readAll(new Drain().until(source));
  await ended;
  expect(read).toEqual([1, 2, 3]);
});

test('a source that fails fails the stream', async () => {
  const source = async function* () {
    yield 1;
    throw new Error('the peer is gone');
  };
  const { read, ended } = readAll(new Drain().until(source()));
  await expect(ended).rejects.toThrow('the peer is gone');
  expect(read).toEqual([1]);
});

test('every stream ends when the drain begins, also one whose source is silent, and later ones at once', async () => {
  const drain = new Drain();
  const streams = Array.from({ length: 50 }, () => readAll(drain.until(new AsyncQueue<number>())));
  await turn();
  drain.begin();
  await Promise.all(streams.map(({ ended }) => ended));
  const late = new AsyncQueue<number>();
  late.push(1);
  const { read, ended } = readAll(drain.until(late));
  await ended;
  expect(read).toEqual([]);
});

test('a value that is being handled is finished, and the next one is left', async () => {
  const drain = new Drain();
  const source = new AsyncQueue<number>();
  for (const value of [1, 2]) source.push(value);
  const handled: number[] = [];
  for await (const value of drain.until(source)) {
    drain.begin();
    await turn();
    handled.push(value);
  }
  expect(handled).toEqual([1]);
});

test('whenever the drain begins, what was read are the first values, each once', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom('push', 'turn'), { maxLength: 20 }), fc.nat(20), async (steps, at) => {
      const drain = new Drain();
      const source = new AsyncQueue<number>();
      const { read, ended } = readAll(drain.until(source));
      let pushed = 0;
      for (const [index, each] of steps.entries()) {
        if (index === at) drain.begin();
        if (each === 'turn') await turn();
        else source.push(++pushed);
      }
      drain.begin();
      await ended;
      expect(read).toEqual(read.map((_, index) => index + 1));
      expect(read.length).toBeLessThanOrEqual(pushed);
    }),
  );
});
