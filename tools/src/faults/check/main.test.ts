import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { FaultSite } from '../fault-site.ts';
import { Observations } from '../observations.ts';
import { until } from '../until.ts';

const program = fileURLToPath(new URL('main.ts', import.meta.url));
let site: FaultSite;

beforeAll(async () => {
  site = await FaultSite.start({
    clientsThroughLinks: false,
    natsStoreBytes: 64 * 1024 * 1024,
    nodeFlags: [],
    progress: () => undefined,
    signal: AbortSignal.timeout(60_000),
  });
  const shape = { name: 'test', seed: 1, attemptsPerSecond: 100, keptPerGateway: 2, newConnectionShare: 0.2 };
  const load = site.startLoad(shape);
  const observations = new Observations(site.answersFile);
  await until(() => observations.update().length >= 200, 'two hundred answers', 30_000);
  await load.stop();
  observations.close();
});

afterAll(async () => {
  await site?.stop(false);
});

/** Runs the checker as a program of its own, which knows nothing of what was done. */
function check(): Promise<{ readonly status: number; readonly rules: readonly string[] }> {
  const { url } = site.stack.nats;
  const database = site.stack.postgresql.databaseUrl('counting');
  const parameters = ['--database', database, '--nats', url, '--answers', site.answersFile, '--patience', '3'];
  return new Promise((resolve) => {
    execFile(process.execPath, [program, ...parameters], { timeout: 60_000 }, (error, stdout) => {
      const rules = [...new Set(stdout.match(/^[a-z-]+(?=: )/gm) ?? [])];
      resolve({ status: error === null ? 0 : Number(error.code), rules });
    });
  });
}

it('finds nothing in a site that keeps its promises, and what was forged in its log, its table and its stream', async () => {
  expect(await check()).toMatchObject({ status: 0, rules: [] });

  const connection = await connect({ servers: site.stack.nats.url });
  const manager = await jetstreamManager(connection);
  // One in the middle: that the end of the stream is missing is noticed by the relay, which publishes it again.
  const { state } = await manager.streams.info('MUSTER');
  let sequence = state.last_seq - 20;
  while (!(await manager.streams.getMessage('MUSTER', { seq: sequence }))?.subject.includes('.activation.'))
    sequence -= 1;
  await manager.streams.deleteMessage('MUSTER', sequence);
  await connection.close();
  expect(await check()).toMatchObject({ status: 1, rules: ['row-not-in-stream'] });

  const client = new pg.Client({ connectionString: site.stack.postgresql.databaseUrl('counting') });
  await client.connect();
  await client.query(`update counting.machine set requests = requests + 1
                      where cmid = (select cmid from counting.activation_log where code = 'GRANTED' limit 1)`);
  await client.query(`delete from counting.activation_log
                      where id = (select max(id) from counting.activation_log where code = 'GRANTED')`);
  await client.end();
  const { status, rules } = await check();
  expect(status).toBe(1);
  expect(rules).toEqual(expect.arrayContaining(['answer-not-in-log', 'machine-differs']));
});
