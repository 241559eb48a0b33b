import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AsyncQueue } from './async-queue.ts';

async function drain<T>(queue: AsyncQueue<T>): Promise<T[]> {
  const values: T[] = [];
  for await (const value of queue) values.push(value);
  return values;
}

test('values come out in the order in which they went in, whether the reader waits or not', async () => {
  const step = fc.oneof(fc.nat(), fc.constant('turn'));
  await fc.assert(
    fc.asyncProperty(fc.array(step), async (steps) => {
      const queue = new AsyncQueue<number>();
      const read = drain(queue);
      for (const each of steps) {
        if (typeof each === 'number') queue.push(each);
        else await Promise.resolve();
      }
      queue.end();
      expect(await read).toEqual(steps.filter((each) => typeof each === 'number'));
    }),
  );
});

test('the end comes after the values that are in it, and what is pushed later is dropped', async () => {
  const queue = new AsyncQueue<number>();
  queue.push(0);
  queue.push(1);
  queue.end();
  queue.push(2);
  queue.end();
  expect(await drain(queue)).toEqual([0, 1]);
  expect(await drain(queue)).toEqual([]);
});

test('the end reaches a reader that waits', async () => {
  const queue = new AsyncQueue<number>();
  const next = queue[Symbol.asyncIterator]().next();
  queue.end();
  expect(await next).toEqual({ done: true, value: undefined });
});

test('a reader that returns early ends the queue', async () => {
  const queue = new AsyncQueue<number>();
  queue.push(1);
  for await (const value of queue) {
    expect(value).toBe(1);
    break;
  }
  queue.push(2);
  expect(await drain(queue)).toEqual([]);
});
