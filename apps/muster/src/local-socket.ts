import { chmodSync, rmSync } from 'node:fs';
import { credentials, type Metadata, Server, ServerCredentials, type ServiceDefinition } from '@grpc/grpc-js';
import type { Counting } from '@muster/contracts/counting';
import { type PolicyAdministration, PolicyAdministrationService } from '@muster/contracts/policy';
import { type Site as SiteInterface, SiteService, type SiteStatus } from '@muster/contracts/site';
import { type Catalogue, MusterError } from '@muster/product-groups';
import { addToServer, connectTo } from '@muster/service-kit';
import { socketPath } from './paths.ts';
import { allCountRules } from './site.ts';

/** What a running site answers over its socket. */
export interface LocalAnswers {
  readonly counting: Counting;
  /** What an administrator sets; who may open the socket is one. */
  readonly policyAdministration: PolicyAdministration;
  readonly status: () => Promise<SiteStatus>;
  readonly catalogue: Catalogue | undefined;
}

/**
 * The way from the other muster commands to a running `muster serve`: gRPC over a Unix socket that only the user who
 * started it may open.
 */
export const LocalSocket = {
  /**
   * Serves the socket of a data directory that this process has locked.
   *
   * @returns what closes it.
   * @throws MusterError `DATA_DIRECTORY_UNUSABLE`.
   */
  async open(dataDirectory: string, answers: LocalAnswers): Promise<() => void> {
    const path = socketPath(dataDirectory);
    const server = new Server();
    const rules = allCountRules(answers.catalogue);
    const site: SiteInterface = {
      getStatus: answers.status,
      listMachines: (request) => answers.counting.listMachines({ ...request, rules }),
    };
    addToServer(server, SiteService, site);
    addToServer(server, PolicyAdministrationService, answers.policyAdministration);
    try {
      rmSync(path, { force: true }); // Left by a process that was killed: the lock says that it is gone.
      await new Promise<void>((resolve, reject) => {
        server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), (error) =>
          error === null ? resolve() : reject(error),
        );
      });
      chmodSync(path, 0o600);
    } catch (error) {
      throw new MusterError({
        code: 'DATA_DIRECTORY_UNUSABLE',
        message: `The socket ${path} cannot be made: ${(error as Error).message}.`,
        remedy: 'Remove what stands in its place, or choose another data directory.',
        cause: error,
      });
    }
    return () => {
      server.forceShutdown();
      rmSync(path, { force: true });
    };
  },

  /**
   * Connects to the running `muster serve` of a data directory and calls it.
   *
   * @throws MusterError `NOT_RUNNING`.
   */
  use<Result>(dataDirectory: string, call: (site: SiteInterface) => Promise<Result>): Promise<Result> {
    return useService(dataDirectory, SiteService, call);
  },

  /** The same for what an administrator sets. @throws MusterError `NOT_RUNNING`, and what the call throws. */
  usePolicy<Result>(
    dataDirectory: string,
    call: (administration: PolicyAdministration) => Promise<Result>,
  ): Promise<Result> {
    return useService(dataDirectory, PolicyAdministrationService, call);
  },
};

async function useService<Interface extends object, Result>(
  dataDirectory: string,
  definition: ServiceDefinition,
  call: (service: Interface) => Promise<Result>,
): Promise<Result> {
  const address = `unix:${socketPath(dataDirectory)}`;
  const { service, close } = connectTo<Interface>(definition, address, credentials.createInsecure());
  try {
    return await call(service);
  } catch (error) {
    if (!isUnreachable(error)) throw error;
    throw new MusterError({
      code: 'NOT_RUNNING',
      message: `No muster serve runs on the data directory ${dataDirectory}.`,
      remedy: 'Start it with `muster serve`, or name the directory of the one that runs with --data.',
      cause: error,
    });
  } finally {
    close();
  }
}

/** Whether it was the socket that could not be reached, and not a service that the site itself asked in vain. */
function isUnreachable(error: unknown): boolean {
  if (!(error instanceof MusterError) || error.code !== 'UNAVAILABLE') return false;
  return !wasAnswered(error.cause);
}

/** An error that the site gave carries its code; one of the connection does not. */
function wasAnswered(cause: unknown): boolean {
  return cause instanceof Error && 'metadata' in cause && (cause.metadata as Metadata).get('muster-code').length > 0;
}
