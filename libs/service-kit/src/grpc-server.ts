import { Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import { MusterError } from '@muster/product-groups';
import { addToServer } from './grpc-interface.ts';

/** A service and what implements it: the generated interface of the same name. */
export interface ServedService {
  readonly definition: ServiceDefinition;
  readonly implementation: object;
}

/** Ends calls that are open after this. */
const drainMs = 10_000;

/**
 * Serves services by gRPC on an address (`host:port`), without TLS: on loopback or inside a trusted network.
 *
 * @returns what drains and closes it.
 * @throws MusterError `PORT_IN_USE` or `ADDRESS_UNUSABLE`.
 */
export async function serveGrpc(address: string, services: readonly ServedService[]): Promise<() => Promise<void>> {
  const server = new Server();
  for (const { definition, implementation } of services) addToServer(server, definition, implementation);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error) => {
      if (error === null) resolve();
      else reject(bindError(error, address));
    });
  });
  return () =>
    new Promise((resolve) => {
      const late = setTimeout(() => server.forceShutdown(), drainMs);
      server.tryShutdown(() => {
        clearTimeout(late);
        resolve();
      });
    });
}

function bindError(error: Error, address: string): MusterError {
  const inUse = error.message.includes('EADDRINUSE');
  return new MusterError({
    code: inUse ? 'PORT_IN_USE' : 'ADDRESS_UNUSABLE',
    message: inUse ? `${address} is in use by another program.` : `${address} cannot be served: ${error.message}.`,
    cause: error,
  });
}
