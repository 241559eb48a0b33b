import { textOf } from './service-process.ts';
import type { Address, Link, PostgresqlProcess, Route, StackOptions } from './stack.ts';

/** A replica before it runs: its name and its ports are known, so that others can be told where it will be. */
export interface PlannedReplica {
  readonly name: string;
  readonly address: Address;
  readonly managementPort: number;
}

/** Everything of a stack before it runs. */
export interface Plan {
  readonly postgresql: PostgresqlProcess;
  readonly nats: Address;
  readonly policies: readonly PlannedReplica[];
  readonly countings: readonly PlannedReplica[];
  readonly gateways: readonly PlannedReplica[];
}

type Settings = Promise<Readonly<Record<string, string>>>;

/** The settings of the replicas of a stack: where each finds the others, through what the caller puts in between. */
export class ServiceSettings {
  readonly #plan: Plan;
  readonly #reroute: NonNullable<StackOptions['reroute']>;

  constructor(plan: Plan, reroute: StackOptions['reroute']) {
    this.#plan = plan;
    this.#reroute = reroute ?? ((route) => route.target);
  }

  async policy(from: PlannedReplica, hostKeySecretFile: string): Settings {
    return {
      MUSTER_POLICY_DATABASE: await this.#database('policy->postgresql', from, 'policy'),
      MUSTER_POLICY_LISTEN: textOf(from.address),
      MUSTER_POLICY_HOST_KEY_SECRET_FILE: hostKeySecretFile,
      MUSTER_NATS_SERVERS: await this.#nats('policy->nats', from),
    };
  }

  async counting(from: PlannedReplica): Settings {
    return {
      MUSTER_COUNTING_DATABASE: await this.#database('counting->postgresql', from, 'counting'),
      MUSTER_COUNTING_LISTEN: textOf(from.address),
      MUSTER_COUNTING_ID: from.name,
      MUSTER_NATS_SERVERS: await this.#nats('counting->nats', from),
    };
  }

  async gateway(from: PlannedReplica): Settings {
    return {
      MUSTER_GATEWAY_ADDRESS: from.address.host,
      MUSTER_GATEWAY_PORT: String(from.address.port),
      MUSTER_GATEWAY_ID: from.name,
      MUSTER_GATEWAY_COUNTING: await this.#addresses('gateway->counting', from, this.#plan.countings),
      MUSTER_GATEWAY_POLICY: await this.#addresses('gateway->policy', from, this.#plan.policies),
      MUSTER_NATS_SERVERS: await this.#nats('gateway->nats', from),
      // All clients of a stack share one address, so the limits for each address would hold for all of them together.
      MUSTER_GATEWAY_CONNECTIONS_PER_ADDRESS: '0',
      MUSTER_GATEWAY_CONNECTION_RATE_PER_ADDRESS: '0',
      MUSTER_GATEWAY_REQUEST_RATE_PER_ADDRESS: '0',
    };
  }

  async #addresses(link: Link, from: PlannedReplica, targets: readonly PlannedReplica[]): Promise<string> {
    const addresses: string[] = [];
    for (const { name, address } of targets) {
      addresses.push(textOf(await this.#routed({ link, from: from.name, to: name, target: address })));
    }
    return addresses.join(',');
  }

  async #database(link: Link, from: PlannedReplica, database: 'counting' | 'policy'): Promise<string> {
    const { name, address } = this.#plan.postgresql;
    const { host, port } = await this.#routed({ link, from: from.name, to: name, target: address });
    const url = new URL(this.#plan.postgresql.databaseUrl(database));
    url.hostname = host;
    url.port = String(port);
    return url.href;
  }

  async #nats(link: Link, from: PlannedReplica): Promise<string> {
    return `nats://${textOf(await this.#routed({ link, from: from.name, to: 'nats', target: this.#plan.nats }))}`;
  }

  async #routed(route: Route): Promise<Address> {
    return this.#reroute(route);
  }
}
