import { request } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { freeAddress, listener } from '../testing/loopback.ts';
import { serveManagement } from './management-server.ts';
import { type CheckResult, Readiness } from './readiness.ts';

async function serve(status: () => unknown = () => ({ requests: 7 })) {
  const address = await freeAddress();
  const readiness = new Readiness();
  const close = await serveManagement(address, { readiness, status });
  onTestFinished(() => close());
  const ask = (path: string, method = 'GET', body?: string) => askAt(address, path, method, body);
  return { address, readiness, ask };
}

function askAt(address: string, path: string, method: string, body?: string) {
  return new Promise<{ code: number | undefined; headers: object; body: string }>((resolve, reject) => {
    const [host, port] = [address.slice(0, address.lastIndexOf(':')), address.slice(address.lastIndexOf(':') + 1)];
    const asked = request({ host: host.replace(/[[\]]/g, ''), port, path, method, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ code: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString() }),
      );
    });
    asked.on('error', reject);
    asked.end(body);
  });
}

describe('the management port', () => {
  test('says that the process lives, whatever else is wrong', async () => {
    const { readiness, ask } = await serve();
    readiness.add({ name: 'database', required: true, look: () => new Promise(() => undefined) });
    expect(await ask('/livez')).toMatchObject({ code: 200, body: '{"alive":true}\n' });
    readiness.draining();
    expect(await ask('/livez?verbose')).toMatchObject({ code: 200 });
  });

  test('tells the truth about readiness: 200 or 503, with each check', async () => {
    const { readiness, ask } = await serve();
    let result: CheckResult = { ok: true };
    readiness.add({ name: 'database', required: true, look: () => result });
    expect(await ask('/readyz')).toMatchObject({ code: 503, body: expect.stringContaining('"state":"starting"') });
    readiness.started();
    expect(await ask('/readyz')).toMatchObject({
      code: 200,
      headers: { 'content-type': 'application/json', 'cache-control': 'no-store' },
      body: `${JSON.stringify({
        ready: true,
        state: 'running',
        checks: [{ name: 'database', required: true, ok: true, detail: '' }],
      })}\n`,
    });
    result = { ok: false, detail: 'it is away' };
    expect(await ask('/readyz')).toMatchObject({ code: 503, body: expect.stringContaining('"detail":"it is away"') });
    result = { ok: true };
    expect(await ask('/readyz')).toMatchObject({ code: 200 });
    readiness.draining();
    expect(await ask('/readyz')).toMatchObject({ code: 503, body: expect.stringContaining('"state":"draining"') });
  });

  test('answers within some seconds when a dependency hangs', async () => {
    const { readiness, ask } = await serve();
    readiness.add({ name: 'database', required: true, look: () => new Promise(() => undefined) });
    readiness.started();
    const begun = performance.now();
    expect(await ask('/readyz')).toMatchObject({
      code: 503,
      body: expect.stringContaining('no answer within 1000 ms'),
    });
    expect(performance.now() - begun).toBeLessThan(10_000);
  });

  test('tells what the service has done', async () => {
    const { ask } = await serve();
    expect(await ask('/statusz')).toMatchObject({ code: 200, body: '{"requests":7}\n' });
  });

  test('survives a service that cannot tell', async () => {
    const { ask } = await serve(() => {
      throw new Error('it broke');
    });
    expect(await ask('/statusz')).toMatchObject({ code: 500, body: '{"error":"it broke"}\n' });
    expect(await ask('/livez')).toMatchObject({ code: 200 });
  });

  test.each(['/', '/nothing', '/livez/', '//', '/%', '/../livez', '/__proto__'])('has nothing at %s', async (path) => {
    const { ask } = await serve();
    expect(await ask(path)).toMatchObject({ code: 404, body: expect.stringContaining('/livez, /readyz and /statusz') });
  });

  test.each(['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH'])('refuses %s', async (method) => {
    const { ask } = await serve();
    expect(await ask('/livez', method)).toMatchObject({ code: 405, headers: { allow: 'GET, HEAD' } });
  });

  test('answers HEAD as GET without the body', async () => {
    const { ask } = await serve();
    expect(await ask('/livez', 'HEAD')).toMatchObject({ code: 200, body: '' });
    expect(await ask('/readyz', 'HEAD')).toMatchObject({ code: 503, body: '' });
    expect(await ask('/nothing', 'HEAD')).toMatchObject({ code: 404, body: '' });
  });
});

describe('who is no probe is sent away, and probes are answered meanwhile:', () => {
  /** Writes bytes and reads until the server ends the connection. */
  function talk(address: string, bytes: string): Promise<string> {
    const [host = '', port] = address.split(':');
    const socket = connect(Number(port), host);
    onTestFinished(() => void socket.destroy());
    socket.write(bytes);
    return new Promise((resolve) => {
      let answer = '';
      socket.on('data', (chunk) => {
        answer += chunk;
      });
      socket.on('error', () => undefined);
      socket.on('close', () => resolve(answer));
    });
  }

  test.each([
    ['a request that never ends', 'GET /livez HTTP/1.1\r\nhost: a\r\nx-slow: ', /^HTTP\/1\.1 408 /],
    ['headers of 100 kB', `GET /livez HTTP/1.1\r\nx-large: ${'a'.repeat(100_000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
    ['something that is not HTTP', '\x16\x03\x01\x02\x00\x01\x00\r\n\r\n', /^HTTP\/1\.1 400 /],
  ])('%s', async (_, bytes, expected) => {
    const { address, ask } = await serve();
    const answer = talk(address, bytes);
    expect(await ask('/livez')).toMatchObject({ code: 200 });
    expect(await answer).toMatch(expected);
    expect(await ask('/livez')).toMatchObject({ code: 200 });
  });

  test('a body that nobody wants', async () => {
    const { ask } = await serve();
    expect(await ask('/livez', 'POST', 'a'.repeat(1_000_000))).toMatchObject({ code: 405 });
  });
});

test('the port is free again after the close, connections that idle included', async () => {
  const address = await freeAddress();
  const close = await serveManagement(address, { readiness: new Readiness(), status: () => ({}) });
  const [host = '', port] = address.split(':');
  const idle = connect(Number(port), host);
  idle.on('error', () => undefined);
  await new Promise((resolve) => idle.once('connect', resolve));
  await close();
  const { server } = await listener(host, Number(port));
  server.close();
});

test('an IPv6 address is served', async () => {
  const free = await freeAddress('::1');
  const address = `[::1]:${free.slice(free.lastIndexOf(':') + 1)}`;
  const close = await serveManagement(address, { readiness: new Readiness(), status: () => ({}) });
  onTestFinished(() => close());
  expect(await askAt(address, '/livez', 'GET')).toMatchObject({ code: 200 });
});

test('a port in use, and an address of another machine, are refused by the name of the setting', async () => {
  const { server, address } = await listener();
  onTestFinished(() => void server.close());
  const answers = { readiness: new Readiness(), status: () => ({}) };
  await expect(serveManagement(address, answers)).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    message: `The management port ${address} is in use by another program.`,
    remedy: expect.stringContaining('MUSTER_MANAGEMENT_LISTEN'),
  });
  await expect(serveManagement('192.0.2.1:7200', answers)).rejects.toMatchObject({
    code: 'ADDRESS_UNUSABLE',
    message: expect.stringMatching(/^The management port 192\.0\.2\.1:7200 cannot be served: .*[^.]\.$/),
  });
});
