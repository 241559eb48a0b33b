import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { credentials } from '@grpc/grpc-js';
import { type Counting, CountingService } from '@muster/contracts/counting';
import { expect, onTestFinished, test } from 'vitest';
import { connectTo } from './grpc-interface.ts';
import { serveGrpc } from './grpc-server.ts';

const silent: Counting = {
  async *count() {},
  getCounts: async () => ({ counts: [] }),
  async *listMachines() {},
};

function connect(address: string): Counting {
  const { service, close } = connectTo<Counting>(CountingService, address, credentials.createInsecure());
  onTestFinished(close);
  return service;
}

async function listener(): Promise<{ readonly server: Server; readonly address: string }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const bound = server.address();
  if (bound === null || typeof bound === 'string') throw new Error('the listener has no port');
  return { server, address: `127.0.0.1:${bound.port}` };
}

async function freeAddress(): Promise<string> {
  const { server, address } = await listener();
  server.close();
  await once(server, 'close');
  return address;
}

test('a service is served, and its port is free again after the drain', async () => {
  const address = await freeAddress();
  const services = [{ definition: CountingService, implementation: silent }];
  const drain = await serveGrpc(address, services);
  expect(await connect(address).getCounts({ rules: [] })).toEqual({ counts: [] });
  await drain();
  await expect(connect(address).getCounts({ rules: [] })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await (await serveGrpc(address, services))();
});

test('a drain waits for the call that is under way', async () => {
  const address = await freeAddress();
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<void>();
  const getCounts: Counting['getCounts'] = async () => {
    asked.resolve();
    await answer.promise;
    return { counts: [] };
  };
  const drain = await serveGrpc(address, [{ definition: CountingService, implementation: { ...silent, getCounts } }]);
  const counts = connect(address).getCounts({ rules: [] });
  await asked.promise;
  const drained = drain();
  answer.resolve();
  expect(await counts).toEqual({ counts: [] });
  await drained;
});

test('a port in use is refused by its address', async () => {
  const { server, address } = await listener();
  onTestFinished(() => void server.close());
  await expect(serveGrpc(address, [])).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: `${address} is in use by another program.`,
    remedy: expect.stringContaining('port'),
  });
});

test('an address of another machine is refused', async () => {
  await expect(serveGrpc('192.0.2.1:7101', [])).rejects.toMatchObject({
    code: 'ADDRESS_UNUSABLE',
    message: expect.stringMatching(/^192\.0\.2\.1:7101 cannot be served: .*[^.]\.$/s),
  });
});
