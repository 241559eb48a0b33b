/**
 * The process that makes the load: gets one order over the channel to its parent, and goes on until the parent says
 * `stop` or is gone. It writes down every answer that it gets.
 */
import { publicKeyFromJwk, vendorKeys } from '@muster/trust';
import { AnswerWriter } from '../answer-record.ts';
import { SeededRandom } from '../seeded-random.ts';
import type { LoadNews, LoadOrder } from './load-messages.ts';
import { MachinePool } from './machine-pool.ts';
import { OpenLoop } from './open-loop.ts';

const stop = new AbortController();
const tell = (news: LoadNews) => process.send?.(news);

process.once('message', (order: LoadOrder) => {
  process.once('message', () => stop.abort());
  run(order).then(
    () => process.disconnect(),
    (error: Error) => {
      process.stderr.write(`The load ended: ${error.stack}\n`);
      process.exit(1);
    },
  );
});
// Whoever started it is gone.
process.on('disconnect', () => process.exit());

async function run(order: LoadOrder): Promise<void> {
  const random = new SeededRandom(order.seed);
  const answers = new AnswerWriter(order.answersFile);
  const loop = new OpenLoop({
    name: order.name,
    gateways: order.gateways,
    attemptsPerSecond: order.attemptsPerSecond,
    keptPerGateway: order.keptPerGateway,
    newConnectionShare: order.newConnectionShare,
    vendorKeys: vendorKeys(publicKeyFromJwk(order.vendorKeyJwk)),
    pool: new MachinePool(`${order.name} ${order.seed}`, random.branch('machines')),
    random: random.branch('connections'),
    onRecord: (record) => answers.write(record),
    onIdleReset: (gateway) => tell({ kind: 'idle-reset', gateway }),
  });
  await loop.run(stop.signal);
  answers.close();
  tell({ kind: 'done', attempts: loop.attempts });
}
