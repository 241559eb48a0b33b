import { expect, test } from 'vitest';
import { SnapshotFeed } from './snapshot-feed.ts';

function watch(feed: SnapshotFeed<number>): AsyncIterator<number> {
  return feed.watch()[Symbol.asyncIterator]();
}

async function collect(feed: SnapshotFeed<number>): Promise<number[]> {
  const values: number[] = [];
  for await (const value of feed.watch()) values.push(value);
  return values;
}

test('a watcher gets the present value at once, then each change that it waits for', async () => {
  const feed = new SnapshotFeed(1);
  const watcher = watch(feed);
  expect(await watcher.next()).toEqual({ done: false, value: 1 });
  for (const value of [2, 3, 4]) {
    const next = watcher.next();
    feed.publish(value);
    expect(await next).toEqual({ done: false, value });
    expect(feed.current).toBe(value);
  }
});

test('a watcher that comes later begins with the value of that time', async () => {
  const feed = new SnapshotFeed(1);
  feed.publish(2);
  expect((await watch(feed).next()).value).toBe(2);
});

test('a slow watcher misses values in between, never the last one', async () => {
  const feed = new SnapshotFeed(1);
  const watcher = watch(feed);
  await watcher.next();
  for (const value of [2, 3, 4]) feed.publish(value);
  expect((await watcher.next()).value).toBe(4);
  const next = watcher.next();
  feed.publish(5);
  expect((await next).value).toBe(5);
});

test('watchers do not disturb each other', async () => {
  const feed = new SnapshotFeed(1);
  const [fast, slow, left] = [watch(feed), watch(feed), watch(feed)];
  await Promise.all([fast.next(), slow.next(), left.next()]);
  await left.return?.();
  for (const value of [2, 3]) {
    const next = fast.next();
    feed.publish(value);
    expect((await next).value).toBe(value);
  }
  expect((await slow.next()).value).toBe(3);
});

test('the end ends those who wait and those who come later', async () => {
  const feed = new SnapshotFeed(1);
  const waiting = watch(feed);
  await waiting.next();
  const next = waiting.next();
  feed.end();
  expect(await next).toEqual({ done: true, value: undefined });
  expect(await collect(feed)).toEqual([]);
});
