import { readFileSync } from 'node:fs';
import { publicKeyFromJwk, vendorKeys } from '@muster/trust';
import { createChainMemory, verifyActivationReply } from '@muster/wire-codec';
import { expect, test } from 'vitest';
import { report } from './support/cleanup.ts';
import { dataDirectory } from './support/data-directory.ts';
import { newMachine, range } from './support/machines.ts';
import { MusterUser } from './support/muster-process.ts';
import { frameOf, RawConnection, readReply, requestOf } from './support/raw-connection.ts';

const [idleConnections, asking] = [1_000, 100];

test('SIGTERM with 1,000 idle connections and 100 requests under way: all are answered, and none is reset', async () => {
  const user = new MusterUser();
  const serving = await user.serve('--demo', '--data', await dataDirectory());
  const { activationPort, vendorKeyFile } = serving.ready;
  // A thousand connections of one address are allowed, so the others come from another.
  const idle = await Promise.all(range(1, idleConnections).map(() => RawConnection.open(activationPort)));
  const askers = await Promise.all(range(1, asking).map(() => RawConnection.open(activationPort, '127.0.0.2')));
  // The last connection is taken after all of the others, so its answer says that they are.
  const [last] = askers.slice(-1);
  await last?.write(frameOf(requestOf(newMachine(), Date.now())));
  await last?.nextReply();

  const requests = askers.map(() => requestOf(newMachine(), Date.now()));
  for (const [index, asker] of askers.entries()) {
    const request = requests[index];
    if (request !== undefined) asker.write(frameOf(request));
  }
  const startedMs = performance.now();
  serving.kill('SIGTERM');
  const { code, stderr } = await serving.finished;
  const tookMs = performance.now() - startedMs;
  report(`SIGTERM with ${idleConnections} idle and ${asking} asking: ended after ${Math.round(tookMs)} ms`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(tookMs).toBeLessThan(5_000);

  await Promise.all([...idle, ...askers].map((connection) => connection.untilClosed()));
  const broken = [...idle, ...askers].filter(({ ended, failure }) => !ended || failure !== undefined);
  expect(broken.map(({ failure }) => failure?.message)).toEqual([]);
  expect(idle.filter(({ bytesReceived }) => bytesReceived > 0)).toEqual([]);
  const keys = vendorKeys(publicKeyFromJwk(readFileSync(vendorKeyFile, 'utf8')));
  const verified = await Promise.all(
    askers.map(async (asker, index) => {
      const request = requests[index];
      const memory = createChainMemory();
      for (const frame of asker.frames.slice(0, -1)) await memory.receive(readReply(frame), keys);
      const frame = asker.frames.at(-1);
      if (request === undefined || frame === undefined) return 'no answer';
      const reply = readReply(frame);
      return (await verifyActivationReply({ reply, request, vendorKeys: keys, nowMs: Date.now(), memory })).cmid;
    }),
  );
  expect(verified).toEqual(requests.map(({ cmid }) => cmid));
});
