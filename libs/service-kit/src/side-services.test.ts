import {
  type ChannelCredentials,
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  status,
} from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer, loadSync } from '@grpc/proto-loader';
import { type Role, roles } from '@muster/contracts/methods';
import { protoPath } from 'grpc-health-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { CertificateAuthority } from '../testing/certificate-authority.ts';
import { issueFor } from '../testing/certificates.ts';
import { serveCounting } from '../testing/counting.ts';
import { identityOf, showing } from '../testing/peers.ts';
import { type CheckResult, Readiness } from './readiness.ts';

const authority = new CertificateAuthority('site');
const as = (role: Role) => showing(issueFor(authority, role), authority);
const countingName = 'muster.counting.v1.Counting';

/** A client without generated code, as the tools of operators are. */
function dynamicClient(protoFile: string, service: string, address: string, how: ChannelCredentials) {
  const definition = loadSync(protoFile, { keepCase: true, enums: String, oneofs: true, defaults: true });
  let found: unknown = loadPackageDefinition(definition);
  for (const part of service.split('.')) found = (found as Record<string, unknown>)[part];
  const client = new (found as new (...parameters: unknown[]) => Record<string, CallableFunction>)(address, how);
  onTestFinished(() => void client.close?.());
  return client;
}

function healthClient(address: string, how: ChannelCredentials) {
  const client = dynamicClient(protoPath, 'grpc.health.v1.Health', address, how);
  const check = (service: string) =>
    new Promise<string>((resolve) => {
      client.Check?.({ service }, (error: { code: status } | null, answer: { status: string }) =>
        resolve(error === null ? answer.status : (status[error.code] ?? 'unknown')),
      );
    });
  const watch = (service: string): ClientReadableStream<{ status: string }> => client.Watch?.({ service });
  return { check, watch };
}

/** A readiness with one required dependency that a test takes away and gives back. */
function dependency() {
  const readiness = new Readiness();
  const state: { result: CheckResult } = { result: { ok: true } };
  readiness.add({ name: 'database', required: true, look: () => state.result });
  return { readiness, state };
}

const soon = { timeout: 15_000 };

describe('health', () => {
  test.each(roles)('is told to %s over TLS', async (role) => {
    const { address } = await serveCounting({ tls: identityOf('counting', authority) });
    const { check } = healthClient(address, as(role));
    expect(await Promise.all(['', countingName, 'muster.Unknown'].map(check))).toEqual([
      'SERVING',
      'SERVING',
      'NOT_FOUND',
    ]);
  });

  test('is told to nobody without a certificate', async () => {
    const { address } = await serveCounting({ tls: identityOf('counting', authority) });
    expect(await healthClient(address, showing(undefined, authority)).check('')).toBe('UNAVAILABLE');
  });

  test('follows what the service needs', async () => {
    const { readiness, state } = dependency();
    const { address } = await serveCounting({ readiness });
    const { check } = healthClient(address, credentials.createInsecure());
    const isTold = (told: string) =>
      expect.poll(() => Promise.all(['', countingName].map(check)), soon).toEqual([told, told]);
    expect(await check('')).toBe('NOT_SERVING'); // It starts.
    readiness.started();
    await isTold('SERVING');
    state.result = { ok: false, detail: 'it is away' };
    await isTold('NOT_SERVING');
    state.result = { ok: true };
    await isTold('SERVING');
    readiness.draining();
    await isTold('NOT_SERVING');
  });

  test('tells watchers each change once, and ends them at the drain, which they do not hold up', async () => {
    const { readiness, state } = dependency();
    const served = await serveCounting({ readiness, drainMs: 60_000 });
    readiness.started();
    const { check, watch } = healthClient(served.address, credentials.createInsecure());
    await expect.poll(() => check(''), soon).toBe('SERVING');
    const told: string[] = [];
    const ended = Promise.withResolvers<void>();
    const watcher = watch(countingName);
    watcher.on('data', (answer) => told.push(answer.status));
    watcher.on('error', () => undefined);
    watcher.on('end', () => ended.resolve());
    await expect.poll(() => told, soon).toEqual(['SERVING']);
    // Looks that find the same are told to nobody.
    let looks = 0;
    readiness.watch(() => {
      looks += 1;
    });
    await expect.poll(() => looks, soon).toBeGreaterThan(2);
    state.result = { ok: false };
    await expect.poll(() => told, soon).toEqual(['SERVING', 'NOT_SERVING']);
    state.result = { ok: true };
    await expect.poll(() => told, soon).toEqual(['SERVING', 'NOT_SERVING', 'SERVING']);
    const begun = performance.now();
    readiness.draining();
    await served.drain();
    await ended.promise;
    expect(performance.now() - begun).toBeLessThan(5_000);
    expect(told).toEqual(['SERVING', 'NOT_SERVING', 'SERVING', 'NOT_SERVING']);
  });
});

describe('reflection', () => {
  const reflectionProto = new URL(
    '../proto/grpc/reflection/v1/reflection.proto',
    import.meta.resolve('@grpc/reflection'),
  ).pathname;
  type Answer = Readonly<Record<string, unknown>>;

  /** Asks one question and reads its answer. */
  function ask(address: string, how: ChannelCredentials, question: object): Promise<Answer> {
    const client = dynamicClient(reflectionProto, 'grpc.reflection.v1.ServerReflection', address, how);
    const stream = client.ServerReflectionInfo?.();
    return new Promise((resolve, reject) => {
      stream.on('data', (answer: Answer) => {
        resolve(answer);
        stream.end();
      });
      stream.on('error', reject);
      stream.write(question);
    });
  }

  test.each(roles)('lists the services to %s over TLS', async (role) => {
    const { address } = await serveCounting({ tls: identityOf('counting', authority) });
    const answer = await ask(address, as(role), { list_services: '*' });
    expect(answer.list_services_response).toEqual({ service: [{ name: countingName }] });
  });

  test('describes a service and what it uses, so that a client needs no file', async () => {
    const { address } = await serveCounting({});
    const answer = await ask(address, credentials.createInsecure(), { file_containing_symbol: countingName });
    const { file_descriptor_proto: files } = answer.file_descriptor_response as { file_descriptor_proto: Buffer[] };
    // A FileDescriptorSet is its files one after the other, each as field 1.
    const set = Buffer.concat(files.flatMap((file) => [Buffer.from([0x0a]), variableLength(file.length), file]));
    expect(Object.keys(loadFileDescriptorSetFromBuffer(set)[countingName] ?? {})).toEqual([
      'Count',
      'GetCounts',
      'ListMachines',
    ]);
  });

  test.each([
    [{}, 'UNIMPLEMENTED'],
    [{ file_containing_symbol: 'constructor' }, undefined],
    [{ file_containing_symbol: 'muster.Unknown' }, 'NOT_FOUND'],
    [{ file_by_filename: '../../etc/passwd' }, 'NOT_FOUND'],
  ])('survives the question %j', async (question, code) => {
    const { address } = await serveCounting({});
    const answer = await ask(address, credentials.createInsecure(), question);
    const error = answer.error_response as { error_code: status } | null | undefined;
    expect(error ? status[error.error_code] : undefined).toBe(code);
    expect(await healthClient(address, credentials.createInsecure()).check('')).toBe('SERVING');
  });

  test('does not hold up a drain', async () => {
    const served = await serveCounting({ drainMs: 60_000 });
    const client = dynamicClient(
      reflectionProto,
      'grpc.reflection.v1.ServerReflection',
      served.address,
      credentials.createInsecure(),
    );
    const stream = client.ServerReflectionInfo?.();
    const answered = Promise.withResolvers<void>();
    stream.on('data', () => answered.resolve());
    stream.on('error', () => undefined);
    stream.write({ list_services: '*' });
    await answered.promise;
    const begun = performance.now();
    await served.drain();
    expect(performance.now() - begun).toBeLessThan(5_000);
  });
});

/** A number as protobuf writes it. */
function variableLength(number: number): Buffer {
  const bytes: number[] = [];
  for (let rest = number; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest]);
    bytes.push((rest & 0x7f) | 0x80);
  }
}
