import { openDatabase } from '@muster/database';
import type { AddressedEvent } from '@muster/events';
import { beforeAll, describe, expect, test } from 'vitest';
import { until } from './support/cleanup.ts';
import { dataDirectory } from './support/data-directory.ts';
import { cmidOf, desktops, newMachine, range, servers } from './support/machines.ts';
import { startTestSite, type TestSite } from './support/test-site.ts';

interface LogRow {
  readonly activation_id: string;
  readonly code: string;
  readonly cmid: string;
  readonly count: number;
}

let directory: string;
let site: TestSite;
let events: AddressedEvent[];

beforeAll(async () => {
  directory = await dataDirectory();
  await start();
});

async function start(): Promise<void> {
  const received: AddressedEvent[] = [];
  events = received;
  site = await startTestSite({ dataDirectory: directory, onEvent: (event) => received.push(event) });
}

const ids = () => events.map(({ event }) => event.id);
const log = () =>
  site.query<LogRow>('select activation_id, code, cmid, count from counting.activation_log order by id');

describe('the events of a site', () => {
  test('are one for each decision, in the order of the log, with the id that the client was told', async () => {
    const answers = await site.askEach([...servers(5), ...desktops(3), newMachine({ edition: 'windows-98' })]);
    await until(() => events.length >= 9, 'nine events');
    expect(ids()).toEqual(answers.map(({ activationId }) => activationId));
    expect(ids()).toEqual((await log()).map(({ activation_id }) => activation_id));
  });

  test('tell everything about a decision as a CloudEvent', async () => {
    const machine = newMachine({ edition: 'server-2008-itanium', previousCmid: cmidOf(77), licenceStatus: 'licensed' });
    const answer = await site.ask(machine);
    await until(() => ids().includes(answer.activationId), 'the event');
    const { subject, event } = events.find((each) => each.event.id === answer.activationId) ?? {};
    expect(subject).toBe('muster.v1.activation.granted.windows.server-2008-itanium');
    expect(event).toEqual({
      specversion: '1.0',
      id: answer.activationId,
      source: `/muster/${site.site.policy.host.hostId}/counting`,
      type: 'io.muster.activation.granted.v1',
      subject: 'windows/server-2008-itanium',
      time: new Date(site.clock.nowMs()).toISOString(),
      datacontenttype: 'application/json',
      sequence: expect.stringMatching(/^\d{19}$/),
      data: {
        code: 'GRANTED',
        application: 'windows',
        edition: 'server-2008-itanium',
        cmid: machine.cmid,
        previousCmid: cmidOf(77),
        machineClass: 'physical',
        machineName: machine.machineName,
        licenceStatus: 'licensed',
        clientVersion: 'acceptance/1.0',
        remoteAddress: '127.0.0.1',
        gatewayId: expect.stringMatching(/^gateway-/),
        count: 9,
        threshold: 5,
        firstSeen: true,
        cloned: false,
      },
    });
  });

  test('say refused for what is not granted', async () => {
    const answer = await site.ask(newMachine({ edition: 'vista-enterprise' }));
    await until(() => ids().includes(answer.activationId), 'the event');
    expect(events.at(-1)).toMatchObject({
      subject: 'muster.v1.activation.refused.windows.vista-enterprise',
      event: {
        type: 'io.muster.activation.refused.v1',
        data: { code: 'COUNT_INSUFFICIENT', count: 10, threshold: 25 },
      },
    });
  });

  test('of 300 requests over 10 connections come in the order of the log, each once', async () => {
    const before = events.length;
    const connections = await Promise.all(range(1, 10).map(() => site.connect()));
    await Promise.all(range(1, 30).flatMap(() => connections.map((each) => each.activate(newMachine()))));
    for (const connection of connections) connection.close();
    await until(() => events.length >= before + 300, '300 events');
    expect(ids()).toEqual((await log()).map(({ activation_id }) => activation_id));
  });

  test('go on after a restart where they stopped, none lost and none twice', async () => {
    const connection = await site.connect();
    await Promise.all(range(1, 20).map(() => connection.activate(newMachine())));
    connection.close();
    // Stopping publishes what is left.
    await site.site.stop();
    const before = ids();
    await start();
    await site.askEach(desktops(5));
    await until(() => events.length >= 5, 'five events');
    const all = [...before, ...ids()];
    expect(new Set(all).size).toBe(all.length);
    expect(all).toEqual((await log()).map(({ activation_id }) => activation_id));
    await site.site.stop();
    expect([...before, ...ids()]).toEqual(all);
  });

  test('that a killed process had committed and not published come when the site starts again', async () => {
    await start();
    const before = (await log()).map(({ activation_id }) => activation_id);
    await site.site.stop();
    // What such a process leaves behind: log rows beyond the cursor.
    const database = await openDatabase(directory);
    await database.query({
      name: 'test.set_back',
      text: `update counting.outbox_cursor
             set last_id = (select id from counting.activation_log order by id offset 4 limit 1)`,
    });
    await database.close();
    await start();
    await until(() => events.length >= before.length - 5, 'the events that were left');
    expect(ids()).toEqual(before.slice(5));
  });
});
