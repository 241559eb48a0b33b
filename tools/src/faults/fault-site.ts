import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { requireEngines } from '../requirements.ts';
import type { Route, ServiceKind, Stack, StackProcess } from '../stack/stack.ts';
import { startStack } from '../stack/start-stack.ts';
import { CheckerProcess } from './check/checker-process.ts';
import { FakedClocks } from './faked-clocks.ts';
import { jetStreamWorks } from './jetstream-works.ts';
import { Liveness } from './liveness.ts';
import type { LoadOrder } from './load/load-messages.ts';
import { LoadProcess } from './load/load-process.ts';
import type { GatewayTarget } from './load/open-loop.ts';
import { NatsStore } from './nats-store.ts';
import { TcpProxy } from './tcp-proxy.ts';

/** A connection between two parts that can be made to fail. */
export interface FaultyLink {
  /** For example `counting-1->postgresql`, or `clients->gateway-1`. */
  readonly name: string;
  readonly from: string;
  readonly to: string;
  readonly proxy: TcpProxy;
}

/** How a site is started. */
export interface FaultSiteOptions {
  /** Whether clients go to the gateways through links that can fail; otherwise straight. */
  readonly clientsThroughLinks: boolean;
  /** Bytes of the file system for JetStream's files, where it can be made. */
  readonly natsStoreBytes: number;
  /** Options of Node for every service. */
  readonly nodeFlags: readonly string[];
  readonly progress: (line: string) => void;
  readonly signal: AbortSignal;
}

/** How the clients of a site behave. */
export type LoadShape = Pick<
  LoadOrder,
  'name' | 'seed' | 'attemptsPerSecond' | 'keptPerGateway' | 'newConnectionShare'
>;

const checkerPatienceMs = 15_000;

/** A stack with a proxy in every connection between its parts, clocks that can be set, and a disk that can be filled. */
export class FaultSite {
  /** Where everything lies: the stack's data and logs, and what the clients wrote down. */
  readonly directory: string;
  readonly stack: Stack;
  readonly links: readonly FaultyLink[];
  readonly clocks: FakedClocks;
  readonly natsStore: NatsStore;
  readonly answersFile: string;
  readonly #liveness: Liveness;
  readonly #clientsThroughLinks: boolean;

  private constructor(
    parts: Pick<FaultSite, 'directory' | 'stack' | 'links' | 'clocks' | 'natsStore'>,
    through: boolean,
  ) {
    this.directory = parts.directory;
    this.stack = parts.stack;
    this.links = parts.links;
    this.clocks = parts.clocks;
    this.natsStore = parts.natsStore;
    this.answersFile = join(parts.directory, 'answers.ndjson');
    this.#clientsThroughLinks = through;
    this.#liveness = new Liveness(parts.stack.nats, () => jetStreamWorks(parts.stack.nats.url));
  }

  /** Starts everything; when that fails, nothing is left running. */
  static async start(options: FaultSiteOptions): Promise<FaultSite> {
    const { nodeFlags } = options;
    const { faketime } = await requireEngines(['faketime']);
    const directory = mkdtempSync(join(tmpdir(), 'muster-faults-'));
    // PostgreSQL may run as another user (it refuses root), who has to get through.
    chmodSync(directory, 0o755);
    const clocks = new FakedClocks(faketime, join(directory, 'clocks'));
    const natsStore = NatsStore.open(join(directory, 'jetstream'), options.natsStoreBytes);
    const links: FaultyLink[] = [];
    const undo = async () => {
      for (const { proxy } of links) await proxy.close();
      natsStore.close();
    };
    try {
      const stack = await startStack({
        directory: join(directory, 'stack'),
        natsStoreDirectory: natsStore.directory,
        progress: options.progress,
        signal: options.signal,
        replica: (name: string, _kind: ServiceKind) => ({ environment: clocks.environmentOf(name), nodeFlags }),
        reroute: async ({ from, to, target }: Route) => {
          const proxy = await TcpProxy.start(target);
          links.push({ name: `${from}->${to}`, from, to, proxy });
          return { host: '127.0.0.1', port: proxy.port };
        },
      });
      if (options.clientsThroughLinks) {
        for (const { name, address } of stack.gateways) {
          const proxy = await TcpProxy.start(address, { keepsClientAddress: true });
          links.push({ name: `clients->${name}`, from: 'clients', to: name, proxy });
        }
      }
      return new FaultSite({ directory, stack, links, clocks, natsStore }, options.clientsThroughLinks);
    } catch (error) {
      await undo();
      throw error;
    }
  }

  /** Where clients find the gateways. */
  get gateways(): readonly GatewayTarget[] {
    return this.stack.gateways.map(({ name, address }) => {
      const proxy = this.#clientsThroughLinks ? this.link(`clients->${name}`).proxy : undefined;
      return { name, host: '127.0.0.1', port: proxy?.port ?? address.port };
    });
  }

  /** The replicas of the services, and the engines. */
  get processes(): readonly StackProcess[] {
    return this.stack.processes;
  }

  /** How often the liveness probe ended NATS. */
  get natsLivenessKills(): number {
    return this.#liveness.kills;
  }

  link(name: string): FaultyLink {
    const link = this.links.find((each) => each.name === name);
    if (link === undefined) throw new Error(`There is no link ${name}.`);
    return link;
  }

  startLoad(shape: LoadShape): LoadProcess {
    return new LoadProcess({
      ...shape,
      gateways: this.gateways,
      vendorKeyJwk: this.stack.vendorKeyJwk,
      answersFile: this.answersFile,
    });
  }

  startChecker(): CheckerProcess {
    return new CheckerProcess({
      database: this.stack.postgresql.databaseUrl('counting'),
      nats: this.stack.nats.url,
      answersFile: this.answersFile,
      patienceMs: checkerPatienceMs,
    });
  }

  /** Ends everything. @param keep the directory, as evidence. */
  async stop(keep: boolean): Promise<void> {
    this.#liveness.close();
    for (const { proxy } of this.links) await proxy.setMode({ kind: 'pass' });
    await this.stack.stop();
    for (const { proxy } of this.links) await proxy.close();
    this.natsStore.close();
    if (!keep) rmSync(this.directory, { recursive: true, force: true, maxRetries: 5 });
  }
}
