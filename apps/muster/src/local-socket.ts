import { chmodSync, rmSync } from 'node:fs';
import { credentials, Server, ServerCredentials } from '@grpc/grpc-js';
import type { Counting } from '@muster/contracts/counting';
import { type Site as SiteInterface, SiteService, type SiteStatus } from '@muster/contracts/site';
import { type Catalogue, MusterError } from '@muster/product-groups';
import { addToServer, connectTo } from '@muster/service-kit';
import { socketPath } from './paths.ts';
import { allCountRules } from './site.ts';

/** What a running site answers over its socket. */
export interface LocalAnswers {
  readonly counting: Counting;
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
  async use<Result>(dataDirectory: string, call: (site: SiteInterface) => Promise<Result>): Promise<Result> {
    const address = `unix:${socketPath(dataDirectory)}`;
    const site = connectTo<SiteInterface>(SiteService, address, credentials.createInsecure());
    try {
      return await call(site.service);
    } catch (error) {
      if (!(error instanceof MusterError) || error.code !== 'UNAVAILABLE') throw error;
      throw new MusterError({
        code: 'NOT_RUNNING',
        message: `No muster serve runs on the data directory ${dataDirectory}.`,
        remedy: 'Start it with `muster serve`, or name the directory of the one that runs with --data.',
        cause: error,
      });
    } finally {
      site.close();
    }
  },
};
