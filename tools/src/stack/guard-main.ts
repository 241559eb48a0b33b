import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { GuardOrder } from './guard.ts';
import { killTree } from './process-tree.ts';

/** The guard of a stack (guard.ts). It ends when its standard input does, after it has cleared away. */
const watched = new Set<number>();
let directory: string | undefined;

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as GuardOrder;
  if (order.do === 'watch') watched.add(order.pid);
  else if (order.do === 'forget') watched.delete(order.pid);
  else directory = order.do === 'remove-directory' ? order.directory : undefined;
}
for (const pid of watched) killTree(pid);
// Those that were killed may still write while they end.
if (directory !== undefined) rmSync(directory, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
