import { openPgliteInMemory } from '@muster/database';
import { type AddressedEvent, InProcessBus } from '@muster/events';
import { createLogger, systemClock } from '@muster/service-kit';
import { expect, onTestFinished, test, vi } from 'vitest';
import { ask, batchOf, cmidOf } from '../test/batches.ts';
import { hostId } from '../test/host-id.ts';
import { createCountingAdministration } from './administration.ts';
import { countingMigrations } from './migrations.ts';
import { OutboxRelay } from './outbox-relay.ts';
import { createCounting } from './service.ts';

test('in one process the relay feeds the bus from the first row on, once each, and again when it is asked to', async () => {
  const database = await openPgliteInMemory();
  onTestFinished(() => database.close());
  await database.migrate(countingMigrations);
  const logger = createLogger('test', 'silent');
  const bus = new InProcessBus();
  const events: AddressedEvent[] = [];
  bus.subscribe((event) => events.push(event));
  const relay = new OutboxRelay({ database, bus, hostId, logger });
  onTestFinished(() => relay.stop());
  const counting = createCounting({ database, clock: systemClock, logger, onCommitted: () => relay.wake() });
  const requests = Array.from({ length: 250 }, (_, n) => ({
    cmid: cmidOf(n),
    raisesCount: true,
    threshold: 5,
    machineName: '',
    fingerprint: '',
  }));
  await ask(counting, batchOf('an-application', requests));
  relay.start();
  await vi.waitUntil(() => events.length >= 250, { timeout: 20_000 });
  await ask(counting, batchOf('an-application', requests));
  await vi.waitUntil(() => events.length >= 500, { timeout: 20_000 });
  expect(await relay.lag()).toBe(0);

  const ids = events.map(({ event }) => event.id);
  expect(new Set(ids).size).toBe(500);
  const sequences = events.map(({ event }) => event.sequence ?? '');
  expect(sequences).toEqual(sequences.toSorted());

  const administration = createCountingAdministration({
    database,
    clock: systemClock,
    onReplay: () => relay.wake(),
  });
  for await (const { rows } of administration.replayEvents({ sinceUnixMs: 0 })) expect(rows).toBe(500);
  expect(events.slice(500).map(({ event }) => event.id)).toEqual(ids);
});
