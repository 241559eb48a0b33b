import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { ActivationConnection } from '@muster/client';
import { publicKeyFromJwk, vendorKeys } from '@muster/trust';
import { createChainMemory, encodeFrame, FrameType, verifyActivationReply } from '@muster/wire-codec';
import { expect, test } from 'vitest';
import { dataDirectory } from './support/data-directory.ts';
import { newMachine, range } from './support/machines.ts';
import { MusterUser, type ServeProcess } from './support/muster-process.ts';
import { frameOf, RawConnection, readReply, requestOf } from './support/raw-connection.ts';

const user = new MusterUser();
const vendorsOf = ({ ready }: ServeProcess) =>
  vendorKeys(publicKeyFromJwk(readFileSync(ready.vendorKeyFile, 'utf8').trim()));

test.each([
  { requests: 1, when: 'before any answer came' },
  { requests: 20, when: 'after the first answer' },
])(
  'a site that is told to stop $when answers the $requests requests of each of 50 connections, then ends with 0',
  async ({ requests, when }) => {
    const site = await user.serve('--demo', '--data', await dataDirectory());
    const connections = await Promise.all(range(1, 50).map(() => RawConnection.open(site.ready.activationPort)));
    const asked = connections.map(() => range(1, requests).map(() => requestOf(newMachine(), Date.now())));
    const written = connections.map((connection, index) =>
      connection.write(Buffer.concat((asked[index] ?? []).map(frameOf))),
    );
    await Promise.all(written);
    if (when === 'after the first answer') await connections[0]?.nextFrame();
    site.kill('SIGTERM');

    const keys = vendorsOf(site);
    for (const [index, connection] of connections.entries()) {
      await connection.untilClosed();
      expect(connection.failure).toBeUndefined();
      expect(connection.ended).toBe(true);
      expect(connection.frames).toHaveLength(requests);
      const memory = createChainMemory();
      for (const [position, request] of (asked[index] ?? []).entries()) {
        const frame = connection.frames[position];
        if (frame === undefined) throw new Error('an answer is missing');
        const reply = readReply(frame);
        const { code } = await verifyActivationReply({ reply, request, vendorKeys: keys, nowMs: Date.now(), memory });
        expect(code).toMatch(/^(GRANTED|COUNT_INSUFFICIENT)$/);
      }
    }
    expect(await site.finished).toMatchObject({ code: 0, signal: null, stderr: '' });
  },
);

test('2,000 bad connections leave the memory of a site as it was, the next client served, and an ordinary end for all', async () => {
  const site = await user.serve('--demo', '--data', await dataDirectory());
  const { activationPort, processId } = site.ready;
  await badConnections(activationPort, 1_000);
  const before = residentMebibytes(processId);
  await badConnections(activationPort, 2_000);
  expect(residentMebibytes(processId) - before).toBeLessThan(30);

  const connection = await ActivationConnection.open({
    host: '127.0.0.1',
    port: activationPort,
    vendorKeys: vendorsOf(site),
  });
  expect(await connection.activate(newMachine())).toMatchObject({ code: 'COUNT_INSUFFICIENT', count: 1 });
  connection.close();

  // Who is connected and asks nothing does not hold it up, and sees an ordinary end.
  const idle = await Promise.all(range(1, 50).map(() => RawConnection.open(activationPort)));
  expect(await site.stop()).toMatchObject({ code: 0, signal: null, stderr: '' });
  for (const each of idle) {
    await each.untilClosed();
    expect(each.failure).toBeUndefined();
  }
});

/** One after the other of eight peers at a time, each with some kind of rubbish. */
async function badConnections(port: number, number: number): Promise<void> {
  const rubbish = [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from('05000b0310000000', 'hex'),
    Buffer.from([1, FrameType.activationRequest, 0xff, 0xff]),
    Buffer.from([1, FrameType.activationRequest, 0x0f, 0xff, 1, 2, 3]),
    Buffer.from([2, 1, 0, 0]),
    Buffer.alloc(60_000, 0xaa),
    encodeFrame(FrameType.activationRequest, Buffer.alloc(4_000, 0xff)),
    Buffer.concat([encodeFrame(FrameType.makRequest, Buffer.alloc(100)), Buffer.from([1, 1, 0])]),
  ];
  let next = 0;
  const peer = async () => {
    while (next < number) {
      const bytes = rubbish[next % rubbish.length] ?? Buffer.alloc(0);
      next += 1;
      await new Promise<void>((resolve) => {
        const socket = connect({ host: '127.0.0.1', port });
        socket.on('error', () => undefined); // A gateway may reset whoever goes on sending.
        socket.on('close', () => resolve());
        socket.resume();
        socket.end(bytes);
      });
    }
  };
  await Promise.all(range(1, 8).map(peer));
}

function residentMebibytes(processId: number): number {
  const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${processId}/status`, 'utf8')) ?? [];
  return Number(kibibytes) / 1024;
}
