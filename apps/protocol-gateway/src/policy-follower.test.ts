import type { PolicySnapshot } from '@muster/contracts/policy';
import { AsyncQueue, createLogger, ManualClock } from '@muster/service-kit';
import { expect, onTestFinished, test } from 'vitest';
import { activatedKey, noonMs, snapshotWith } from '../testing/policy-snapshot.ts';
import { PolicyFollower } from './policy-follower.ts';

/** A follower of a policy whose watches a test holds in its hands. Its pauses end when the test says so. */
function followerOf() {
  const clock = new ManualClock(noonMs);
  const watches: AsyncQueue<PolicySnapshot | Error>[] = [];
  const pauses: { readonly durationMs: number; readonly end: () => void }[] = [];
  const follower = new PolicyFollower({
    policy: {
      async *watchSnapshots() {
        const watch = new AsyncQueue<PolicySnapshot | Error>();
        watches.push(watch);
        for await (const each of watch) {
          if (each instanceof Error) throw each;
          yield each;
        }
      },
    },
    gatewayId: 'gateway-1',
    clock,
    logger: createLogger('test', 'silent'),
    random: () => 0.5,
    rest: (durationMs, signal) =>
      new Promise((end) => {
        pauses.push({ durationMs, end });
        signal.addEventListener('abort', () => end());
      }),
  });
  onTestFinished(() => {
    follower.stop();
    for (const watch of watches) watch.end();
  });
  return { follower, clock, watches, pauses };
}

async function snapshot(revision: number): Promise<PolicySnapshot> {
  return snapshotWith('windows-2008', [await activatedKey('windows', ['vista-business'])], { revision });
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test('a follower starts with the first snapshot in order, and takes over each later one', async () => {
  const { follower, watches } = followerOf();
  const started = follower.start();
  watches[0]?.push({ ...(await snapshot(1)), signedCatalogue: 'no catalogue' });
  watches[0]?.push(await snapshot(2));
  await started;
  expect(follower.view?.revision).toBe(2);
  watches[0]?.push(await snapshot(3));
  await expect.poll(() => follower.view?.revision).toBe(3);
  watches[0]?.push({ ...(await snapshot(4)), signedCatalogue: 'no catalogue' });
  watches[0]?.push(await snapshot(5));
  await expect.poll(() => follower.view?.revision).toBe(5);
});

test('a watch that ends in order is taken up again at once, and the snapshot stays in force meanwhile', async () => {
  const { follower, clock, watches, pauses } = followerOf();
  const started = follower.start();
  watches[0]?.push(await snapshot(1));
  await started;
  clock.advance(1_000);
  watches[0]?.end();
  await turn();
  expect([watches.length, pauses.length, follower.view?.revision]).toEqual([2, 0, 1]);
});

test('watches that end as soon as they begin are followed by longer and longer pauses, of 1 s at most', async () => {
  const { follower, clock, watches, pauses } = followerOf();
  follower.start();
  for (let round = 0; round < 6; round += 1) {
    watches.at(-1)?.end();
    await turn();
    pauses.at(-1)?.end();
    await turn();
  }
  expect(pauses.map(({ durationMs }) => durationMs)).toEqual([75, 150, 300, 600, 750, 750]);
  clock.advance(1_000);
  watches.at(-1)?.push(new Error('connection reset'));
  await turn();
  expect(pauses.at(-1)?.durationMs).toBe(75);
  expect(watches).toHaveLength(7);
});

test('an error is followed by a pause, and the snapshot stays in force meanwhile', async () => {
  const { follower, clock, watches, pauses } = followerOf();
  const started = follower.start();
  watches[0]?.push(await snapshot(1));
  await started;
  clock.advance(60_000);
  watches[0]?.push(new Error('connection reset'));
  await turn();
  expect([watches.length, pauses.length, follower.view?.revision]).toEqual([1, 1, 1]);
  pauses[0]?.end();
  await turn();
  watches[1]?.push(await snapshot(2));
  await expect.poll(() => follower.view?.revision).toBe(2);
});

test('a follower that is stopped watches no more, also in a pause', async () => {
  const { follower, watches, pauses } = followerOf();
  follower.start();
  watches[0]?.push(new Error('connection reset'));
  await turn();
  expect(pauses).toHaveLength(1);
  follower.stop();
  await turn();
  expect(watches).toHaveLength(1);
});
