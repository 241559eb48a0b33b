import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { loadFileDescriptorSetFromBuffer } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { descriptorSet } from '@muster/contracts/descriptors';
import { MusterError } from '@muster/product-groups';
import { HealthImplementation } from 'grpc-health-check';
import type { Caller } from './caller.ts';
import { addToServer } from './grpc-interface.ts';
import type { Readiness } from './readiness.ts';
import { sideServicesOf } from './side-services.ts';

/** A service and what implements it: the generated interface of the same name. */
export interface ServedService {
  readonly definition: ServiceDefinition;
  readonly implementation: object;
}

/** The TLS of a server: `TlsIdentity` or `ServerCertificate`. */
export interface ServerTls {
  serverCredentials(): ServerCredentials;
  /** Tells who calls; left out where callers show no certificate. */
  readonly caller?: Caller;
}

/** How services are served. */
export interface GrpcServerOptions {
  /**
   * TLS. A `TlsIdentity` asks callers for their certificate, whose role decides what they may call. With a
   * `ServerCertificate`, and without any, everybody who reaches the address may call everything.
   */
  readonly tls?: ServerTls | undefined;
  /** What the health service (`grpc.health.v1`) tells; it always serves when this is left out. */
  readonly readiness?: Readiness | undefined;
  /** Ends calls that are still open so long after the drain began. */
  readonly drainMs?: number | undefined;
  /** Ends each connection after so long, and clients connect anew; five minutes when it is left out. */
  readonly connectionAgeMs?: number | undefined;
}

/** Names are resolved and certificates shown anew only when a connection ends (docs/decisions/0015). */
const defaultConnectionAgeMs = 300_000;

const serverOptions = {
  // A client that has vanished without a word is noticed within fifteen seconds.
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  // Clients ask at this pace at most; ours asks every ten seconds.
  'grpc.http2.min_ping_interval_without_data_ms': 5_000,
  // What is still open when the age of a connection has come has this time to end.
  'grpc.max_connection_age_grace_ms': 120_000,
  'grpc.max_receive_message_length': 1024 * 1024,
  'grpc.max_concurrent_streams': 1_000,
};

/**
 * Serves services by gRPC on an address (`host:port`), with health and reflection beside them.
 *
 * @returns what drains and closes it: health says so at once, no connection is taken any more, calls that are under way
 * are answered.
 * @throws MusterError `PORT_IN_USE` or `ADDRESS_UNUSABLE`.
 */
export async function serveGrpc(
  address: string,
  services: readonly ServedService[],
  options: GrpcServerOptions = {},
): Promise<() => Promise<void>> {
  const { tls, readiness, drainMs = 10_000, connectionAgeMs = defaultConnectionAgeMs } = options;
  const server = new Server({ ...serverOptions, 'grpc.max_connection_age_ms': connectionAgeMs });
  for (const { definition, implementation } of services) addToServer(server, definition, implementation, tls?.caller);
  const names = services.flatMap(({ definition }) => serviceNames(definition));
  const side = sideServicesOf(server);
  const stopHealth = addHealth(side.server, names, readiness);
  addReflection(side.server, names);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, tls?.serverCredentials() ?? ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(bindError(error, address));
    });
  });
  return () =>
    new Promise((resolve) => {
      stopHealth();
      side.end();
      const late = setTimeout(() => server.forceShutdown(), drainMs);
      server.tryShutdown(() => {
        clearTimeout(late);
        resolve();
      });
    });
}

function serviceNames(definition: ServiceDefinition): readonly string[] {
  return [...new Set(Object.values(definition).map(({ path }) => path.split('/')[1] ?? ''))];
}

/** Health of the whole server (the empty name) and of each service. Returns what says that it serves no longer. */
function addHealth(server: Server, names: readonly string[], readiness: Readiness | undefined): () => void {
  const all = ['', ...names];
  const statusOf = (serving: boolean) => (serving ? 'SERVING' : 'NOT_SERVING');
  let told = readiness === undefined;
  const health = new HealthImplementation(Object.fromEntries(all.map((name) => [name, statusOf(told)])));
  const tell = (serving: boolean) => {
    // Watchers are told of changes only.
    if (serving === told) return;
    told = serving;
    for (const name of all) health.setStatus(name, statusOf(serving));
  };
  const stop = readiness?.watch(tell);
  health.addToServer(server);
  return () => {
    stop?.();
    tell(false);
  };
}

function addReflection(server: Server, names: readonly string[]): void {
  const described = loadFileDescriptorSetFromBuffer(Buffer.from(descriptorSet));
  new ReflectionService(described, { services: [...names] }).addToServer(server);
}

function bindError(error: Error, address: string): MusterError {
  const inUse = error.message.includes('EADDRINUSE');
  return new MusterError({
    code: inUse ? 'PORT_IN_USE' : 'ADDRESS_UNUSABLE',
    message: inUse ? `${address} is in use by another program.` : `${address} cannot be served: ${error.message}.`,
    cause: error,
  });
}
