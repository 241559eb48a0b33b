import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { distinctIds, RelaySite } from '../test/relay-site.ts';

let site: RelaySite;

beforeAll(async () => {
  site = await RelaySite.start();
});
beforeEach(() => site.clear());
afterAll(() => site.stop());

describe('the relay', () => {
  test('publishes what any replica commits, in the order of commit, each row once', async () => {
    const { relay } = await site.openRelay('counting-1');
    await site.count(1_500);
    await site.published();
    expect((await site.streamed()).map(({ event }) => event.id)).toEqual(await site.logged());
    // Nobody woke it: it looks by itself.
    await site.count(1);
    await site.published(2_000);
    expect(relay.active).toBe(true);
  });

  test('gives way at once when it stops, and the next one goes on where it stopped', async () => {
    const first = await site.openRelay('counting-1');
    await site.relays('counting-1');
    const second = await site.openRelay('counting-2');
    await site.count(300);
    await site.published();
    expect(second.relay.active).toBe(false);
    const stopped = performance.now();
    await first.relay.stop();
    await site.relays('counting-2');
    expect(performance.now() - stopped).toBeLessThan(2_000);
    await site.count(300);
    await site.published();
    expect((await site.streamed()).map(({ event }) => event.id)).toEqual(await site.logged());
  });

  test('is followed within five seconds when it is killed, and no row is lost', async () => {
    const first = await site.openRelay('counting-1');
    await site.relays('counting-1');
    const second = await site.openRelay('counting-2');
    await site.count(2_000);
    const killed = performance.now();
    await first.kill();
    await site.count(500);
    await site.relays('counting-2');
    expect(performance.now() - killed).toBeLessThan(5_000);
    await site.published();
    expect(distinctIds(await site.streamed())).toEqual(await site.logged());
    expect(second.warnings).toEqual([]);
  });

  test('is followed when its process stands still, and harms nothing when that wakes up', async () => {
    const script = fileURLToPath(new URL('../test/run-relay.ts', import.meta.url));
    const child = spawn(process.execPath, [script, site.postgresql.url, site.nats.url, 'frozen'], { stdio: 'inherit' });
    onTestFinished(() => void child.kill('SIGKILL'));
    await site.relays('frozen');
    await site.openRelay('counting-2');
    const counting = site.count(3_000);
    await vi.waitUntil(async () => (await site.administration.getOutbox({})).publishedId > 0, { interval: 5 });
    child.kill('SIGSTOP');
    const stopped = performance.now();
    await site.relays('counting-2');
    expect(performance.now() - stopped).toBeLessThan(5_000);
    await counting;
    await site.published();
    const { publishedId } = await site.administration.getOutbox({});

    child.kill('SIGCONT');
    await site.count(500);
    await site.published();
    const outbox = await site.administration.getOutbox({});
    expect(outbox).toMatchObject({ relay: 'counting-2', lag: 0 });
    expect(outbox.publishedId).toBeGreaterThan(publishedId);
    expect(distinctIds(await site.streamed())).toEqual(await site.logged());
  });

  test('waits while NATS is away, holds nothing up, and publishes everything afterwards', async () => {
    const { relay, warnings } = await site.openRelay('counting-1');
    await site.count(100);
    await site.published();
    await site.nats.kill();
    const heapBefore = heapMiB();
    const started = performance.now();
    await site.count(10_000);
    expect((performance.now() - started) / 100).toBeLessThan(250);
    expect(heapMiB() - heapBefore).toBeLessThan(20);
    expect(await relay.lag()).toBe(10_000);
    await site.nats.restart();
    await site.published();
    expect(distinctIds(await site.streamed())).toEqual(await site.logged());
    // The outage is told once, not at every attempt.
    expect(warnings).toHaveLength(1);
  });

  test('waits while PostgreSQL refuses connections to it, and goes on afterwards', async () => {
    const { relay } = await site.openRelay('counting-1');
    await site.relays('counting-1');
    await site.database
      .query({
        name: 'test.cut',
        text: 'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()',
      })
      .catch(() => undefined);
    await vi.waitUntil(
      () =>
        site.count(200).then(
          () => true,
          () => false,
        ),
      { timeout: 10_000 },
    );
    await site.published();
    expect(relay.active).toBe(true);
    expect(distinctIds(await site.streamed())).toEqual(await site.logged());
  });
});

function heapMiB(): number {
  return process.memoryUsage().heapUsed / 1024 ** 2;
}
