import { beforeAll, describe, expect, test } from 'vitest';
import { catalogueOfMany } from './support/catalogue-of-many.ts';
import { desktops, fingerprintOf, newMachine, range, servers } from './support/machines.ts';
import { startTestSite, type TestSite } from './support/test-site.ts';

const dayMs = 24 * 60 * 60 * 1000;

let site: TestSite;

beforeAll(async () => {
  // Batches of seven, so that machines that ask together do not all fall into one.
  site = await startTestSite({ catalogue: catalogueOfMany(28), limits: { batchRequests: 7 } });
});

describe('desktops alone', () => {
  test('24 physical desktops are refused with rising counts, the 25th is granted, and then each earlier one', async () => {
    const machines = desktops(25, { application: site.freshApplication() });
    const first = await site.askEach(machines);
    expect(first.map(({ count }) => count)).toEqual(range(1, 25));
    expect(first.map(({ code }) => code)).toEqual([...Array(24).fill('COUNT_INSUFFICIENT'), 'GRANTED']);
    expect(new Set(first.map(({ threshold }) => threshold))).toEqual(new Set([25]));
    const again = await site.askEach(machines.slice(0, 24));
    expect(again.map(({ code, count }) => ({ code, count }))).toEqual(Array(24).fill({ code: 'GRANTED', count: 25 }));
  });

  test('a grant is valid for 180 days and a refusal for none, and both tell when to ask again', async () => {
    const application = site.freshApplication();
    const machines = desktops(25, { application });
    const [refused, ...others] = await site.askEach(machines);
    expect(refused).toMatchObject({
      code: 'COUNT_INSUFFICIENT',
      validityMinutes: 0,
      expiresAtMs: 0,
      activationIntervalMinutes: 120,
      renewalIntervalMinutes: 7 * 24 * 60,
    });
    expect(others.at(-1)).toMatchObject({
      code: 'GRANTED',
      validityMinutes: 180 * 24 * 60,
      issuedAtMs: site.clock.nowMs(),
      expiresAtMs: site.clock.nowMs() + 180 * dayMs,
      activationIntervalMinutes: 120,
      renewalIntervalMinutes: 7 * 24 * 60,
      graceMinutes: 30 * 24 * 60,
      vendor: 'demo-vendor',
      hostId: site.site.policy.host.hostId,
    });
  });
});

describe('servers', () => {
  test('alone: the 5th physical server is granted, and then each earlier one', async () => {
    const machines = servers(5, { application: site.freshApplication() });
    const first = await site.askEach(machines);
    expect(first.map(({ count }) => count)).toEqual(range(1, 5));
    expect(first.map(({ code }) => code)).toEqual([...Array(4).fill('COUNT_INSUFFICIENT'), 'GRANTED']);
    const again = await site.askEach(machines);
    expect(new Set(again.map(({ code }) => code))).toEqual(new Set(['GRANTED']));
  });

  test('4 servers and 1 desktop: the servers are granted at the count of 5, the desktop is told 5 of 25', async () => {
    const application = site.freshApplication();
    const machines = servers(4, { application });
    await site.askEach(machines);
    const [desktop] = await site.askEach(desktops(1, { application }));
    expect(desktop).toMatchObject({ code: 'COUNT_INSUFFICIENT', count: 5, threshold: 25 });
    for (const answer of await site.askEach(machines)) {
      expect(answer).toMatchObject({ code: 'GRANTED', count: 5, threshold: 5 });
    }
  });

  test('1 desktop and then 4 servers: the 4th server makes the count 5 and is granted itself', async () => {
    const application = site.freshApplication();
    const answers = await site.askEach([...desktops(1, { application }), ...servers(4, { application })]);
    expect(answers.map(({ code }) => code)).toEqual([...Array(4).fill('COUNT_INSUFFICIENT'), 'GRANTED']);
  });
});

describe.each(['virtual', 'container'] as const)('machines of the class %s', (machineClass) => {
  test('leave the count at 0, however many ask', async () => {
    const application = site.freshApplication();
    const machines = [...servers(30, { application, machineClass }), ...desktops(30, { application, machineClass })];
    for (const answer of await site.askEach(machines)) {
      expect(answer).toMatchObject({ code: 'COUNT_INSUFFICIENT', count: 0 });
    }
    expect(await site.count(application)).toMatchObject({ count: 0, machinesCounted: 0, machinesKnown: 60 });
  });

  test('are all granted once 5 physical servers stand, and the count stays 5', async () => {
    const application = site.freshApplication();
    await site.askEach(servers(5, { application }));
    for (const answer of await site.askEach(servers(20, { application, machineClass }))) {
      expect(answer).toMatchObject({ code: 'GRANTED', count: 5, threshold: 5 });
    }
    expect(await site.count(application)).toMatchObject({ count: 5, machinesCounted: 5, machinesKnown: 25 });
  });
});

describe('the count', () => {
  test('has a CMID that asks 1,000 times once, also over 20 kept connections at once', async () => {
    const application = site.freshApplication();
    const machine = newMachine({ application });
    const connections = await Promise.all(range(1, 20).map(() => site.connect()));
    const rounds = range(1, 50).map(() => connections.map((connection) => connection.activate(machine)));
    const answers = await Promise.all(rounds.flat());
    expect(answers).toHaveLength(1_000);
    expect(new Set(answers.map(({ code, count }) => `${code} ${count}`))).toEqual(new Set(['COUNT_INSUFFICIENT 1']));
    expect(new Set(answers.map(({ activationId }) => activationId)).size).toBe(1_000);
    expect(await site.count(application)).toEqual({
      count: 1,
      machinesCounted: 1,
      machinesKnown: 1,
      machinesCloned: 0,
    });
    const [row] = await site.query<{ requests: number }>('select requests from counting.machine where cmid = $1', [
      machine.cmid,
    ]);
    expect(row?.requests).toBe(1_000);
  });

  test('has a CMID that asks again and again for different editions once', async () => {
    const application = site.freshApplication();
    const machine = newMachine({ application });
    const connection = await site.connect();
    for (const edition of ['vista-business', 'vista-enterprise', 'server-2008-standard', 'server-2008-itanium']) {
      expect(await connection.activate({ ...machine, edition })).toMatchObject({ count: 1 });
    }
  });

  test('is reported up to 50, twice the highest threshold, with 60 machines in it', async () => {
    const application = site.freshApplication();
    const answers = await site.askEach(desktops(60, { application }));
    expect(answers.map(({ count }) => count)).toEqual([...range(1, 50), ...Array(10).fill(50)]);
    expect(await site.count(application)).toMatchObject({ count: 50, machinesCounted: 60 });
  });

  test('is each application its own', async () => {
    const [one, other] = [site.freshApplication(), site.freshApplication()];
    const machine = newMachine();
    await site.askEach(desktops(3, { application: one }));
    expect(await site.ask({ ...machine, application: one })).toMatchObject({ count: 4 });
    expect(await site.ask({ ...machine, application: other })).toMatchObject({ count: 1 });
  });

  test('keeps a machine that has been silent for a millisecond less than 30 days', async () => {
    const application = site.freshApplication();
    await site.askEach(servers(4, { application }));
    await site.advance(30 * dayMs - 1);
    expect(await site.count(application)).toMatchObject({ count: 4 });
    expect((await site.askEach(servers(1, { application })))[0]).toMatchObject({ code: 'GRANTED', count: 5 });
  });

  test('loses a machine that has been silent for 30 days, and has it back when it asks again', async () => {
    const application = site.freshApplication();
    const machines = servers(5, { application });
    await site.askEach(machines);
    await site.advance(15 * dayMs);
    await site.askEach(machines.slice(0, 2));
    await site.advance(15 * dayMs);
    expect(await site.count(application)).toMatchObject({ count: 2, machinesKnown: 5 });
    expect(await site.ask(newMachine({ application, edition: 'server-2008-standard' }))).toMatchObject({
      code: 'COUNT_INSUFFICIENT',
      count: 3,
    });
    const back = await site.askEach(machines.slice(2));
    expect(back.map(({ count, code }) => `${code} ${count}`)).toEqual([
      'COUNT_INSUFFICIENT 4',
      'GRANTED 5',
      'GRANTED 6',
    ]);
  });

  test('below the threshold stops renewals too', async () => {
    const application = site.freshApplication();
    const machines = servers(5, { application });
    await site.askEach(machines);
    await site.advance(30 * dayMs);
    expect((await site.askEach(machines.slice(0, 1)))[0]).toMatchObject({ code: 'COUNT_INSUFFICIENT', count: 1 });
  });
});

describe('40 machines that ask in the same instant over 40 connections', () => {
  test.each(range(1, 6))('are decided as if one came after the other (time %i)', async () => {
    const application = site.freshApplication();
    const connections = await Promise.all(range(1, 40).map(() => site.connect()));
    const machines = desktops(40, { application });
    // Every request is written before this process reads anything.
    const answers = await Promise.all(
      connections.map((connection, index) => connection.activate(machines[index] ?? newMachine({ application }))),
    );
    const counts = answers.map(({ count }) => count).sort((a, b) => a - b);
    expect(counts).toEqual(range(1, 40));
    for (const { code, count } of answers) expect(code).toBe(count >= 25 ? 'GRANTED' : 'COUNT_INSUFFICIENT');
    expect(await site.count(application)).toMatchObject({ count: 40, machinesCounted: 40 });
    const log = await site.query<{ count: number }>(
      'select count from counting.activation_log where application = $1 order by id',
      [application],
    );
    expect(log.map(({ count }) => count)).toEqual(range(1, 40));
  });

  test('raise nothing when they are the same 5 machines, and are never granted below the threshold', async () => {
    const application = site.freshApplication();
    const connections = await Promise.all(range(1, 40).map(() => site.connect()));
    const machines = servers(5, { application });
    const answers = await Promise.all(
      connections.map((connection, index) => connection.activate(machines[index % 5] ?? newMachine({ application }))),
    );
    expect(answers.filter(({ code, count }) => (code === 'GRANTED') !== count >= 5)).toEqual([]);
    expect(Math.max(...answers.map(({ count }) => count))).toBe(5);
    expect(await site.count(application)).toMatchObject({ count: 5, machinesKnown: 5 });
  });
});

describe('a cloned image', () => {
  test('counts once and is listed with both of its identities', async () => {
    const application = site.freshApplication();
    const original = newMachine({ application, machineName: 'ORIGINAL', fingerprint: fingerprintOf('original') });
    const clone = { ...original, machineName: 'CLONE', fingerprint: fingerprintOf('clone') };
    const answers = await site.askEach([original, clone, original]);
    expect(answers.map(({ count }) => count)).toEqual([1, 1, 1]);
    await site.askEach(desktops(2, { application }));
    expect(await site.count(application)).toMatchObject({ count: 3, machinesKnown: 3, machinesCloned: 1 });

    const listed = [];
    const request = { rules: [], application, clonedOnly: true };
    for await (const machine of site.site.counting.listMachines(request)) listed.push(machine);
    expect(listed).toHaveLength(1);
    expect(listed[0]?.clonedSinceUnixMs).toBe(site.clock.nowMs());
    const identities = listed[0]?.identities.map(({ machineName, fingerprint }) => ({
      machineName,
      fingerprint: Buffer.from(fingerprint).toString('hex'),
    }));
    expect(identities?.sort((a, b) => a.machineName.localeCompare(b.machineName))).toEqual([
      { machineName: 'CLONE', fingerprint: Buffer.from(fingerprintOf('clone')).toString('hex') },
      { machineName: 'ORIGINAL', fingerprint: Buffer.from(fingerprintOf('original')).toString('hex') },
    ]);
  });

  test('is no machine that withholds its name or cannot read its hardware for once', async () => {
    const application = site.freshApplication();
    const { machineName, fingerprint, ...bare } = newMachine({ application });
    await site.askEach([{ ...bare, machineName: 'PC', fingerprint: fingerprintOf('pc') }, bare]);
    await site.askEach([{ ...bare, machineName: 'PC', fingerprint: fingerprintOf('pc') }]);
    expect(machineName === undefined || fingerprint === undefined).toBe(false);
    expect(await site.count(application)).toMatchObject({ count: 1, machinesCloned: 0 });
  });
});

test('the CMID that a machine had before is in the activation log, and the new one counts by itself', async () => {
  const application = site.freshApplication();
  const before = newMachine({ application });
  const after = newMachine({ application, previousCmid: before.cmid });
  const answers = await site.askEach([before, after]);
  expect(answers.map(({ count }) => count)).toEqual([1, 2]);
  const rows = await site.query<{ activation_id: string; cmid: string; previous_cmid: string | null }>(
    'select activation_id, cmid, previous_cmid from counting.activation_log where application = $1 order by id',
    [application],
  );
  expect(rows).toEqual([
    { activation_id: answers[0]?.activationId, cmid: before.cmid, previous_cmid: null },
    { activation_id: answers[1]?.activationId, cmid: after.cmid, previous_cmid: before.cmid },
  ]);
});
