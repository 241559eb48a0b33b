/**
 * The process that makes the load. It gets one order after the other from the benchmark, and keeps its machines from
 * round to round.
 */
import { LoadRound } from './load-round.ts';
import { Machines } from './machines.ts';
import type { Answer, LoadOrder, LoadResult } from './messages.ts';

const machines = new Machines();
const answer = (value: Answer<LoadResult>) => process.send?.(value);

process.on('message', (order: LoadOrder) => {
  new LoadRound(order, machines).run().then(
    (value) => answer({ ok: true, value }),
    (error: Error) => answer({ ok: false, message: error.message }),
  );
});
// Whoever started it is gone.
process.on('disconnect', () => process.exit());
