import type { Counting, CountingAdministration } from '@muster/contracts/counting';
import type { PolicyAdministration } from '@muster/contracts/policy';
import type { CertificateStore } from './certificates.ts';

/**
 * A whole site on one machine as separate processes (DESIGN 4.2, "distributed"): PostgreSQL, NATS with JetStream,
 * licensing-policy, countings and gateways with mutual TLS. `npm run stack`, the tests and the fault campaign start it
 * by `startStack` of start-stack.ts.
 *
 * @example
 * const stack = await startStack({ counts: { gateways: 3 } });
 * await stack.countings[0].kill(); // its supervisor starts it again
 * await stack.countings[0].waitUntilReady();
 * await stack.stop();
 */
export interface Stack {
  /** Everything of the stack lies in it: data, certificates, logs. Removed by `stop` when it is a temporary one. */
  readonly directory: string;
  /** Where a client finds the public key of the stack's vendor, a JWK. */
  readonly vendorKeyFile: string;
  readonly vendorKeyJwk: string;
  /** Every process, in the order of the start. */
  readonly processes: readonly StackProcess[];
  readonly postgresql: PostgresqlProcess;
  readonly nats: NatsProcess;
  readonly policies: readonly StackProcess[];
  readonly countings: readonly StackProcess[];
  readonly gateways: readonly StackProcess[];
  readonly certificates: CertificateStore;
  /** What an administrator asks, over gRPC with a certificate of that role. */
  readonly administrator: Administrator;
  /** A process by its name, for example `counting-2`. Throws when there is none. */
  process(name: string): StackProcess;
  /**
   * Ends every process in order: gateways, countings, policies, NATS, PostgreSQL. Who does not end in time is killed.
   * Resolves within a minute, when nothing of the stack is left: no process, no port, no temporary directory.
   */
  stop(): Promise<void>;
  /** Ends every process at once by SIGKILL. `stop` may still be called, for what is left of the directory. */
  kill(): Promise<void>;
}

/** Clients of the administrator, by replica. All of them are closed by `stop`. */
export interface Administrator {
  /** A policy by its index in `stack.policies`; the first unless told. */
  policy(index?: number): PolicyAdministration;
  /** A counting by its index in `stack.countings`; the first unless told. */
  counting(index?: number): Counting & CountingAdministration;
}

/** What a process is. A replica is called `<short name>-<number from 1>`, an engine by its kind. */
export type ProcessKind = 'postgresql' | 'nats' | ServiceKind;
export type ServiceKind = 'licensing-policy' | 'counting' | 'protocol-gateway';

/** A host and a port of TCP. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** One run of a process, from its start to its end. */
export interface ProcessRun {
  readonly pid: number;
  /** Milliseconds since 1970. */
  readonly startedAtMs: number;
  /** Undefined while it runs. */
  readonly end: ProcessEnd | undefined;
}

/** How a run ended. */
export interface ProcessEnd {
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: NodeJS.Signals | undefined;
  /** Whether somebody asked for it by `kill` or `terminate`. False is a crash. */
  readonly asked: boolean;
}

/**
 * A process of the stack. A supervisor starts it again when it ends without having been asked to stay down, like
 * systemd with `Restart=always`: at once, and more and more slowly while it does not become ready; after 20 starts in
 * vain it gives up.
 */
export interface StackProcess {
  /** `postgresql`, `nats`, `policy-1`, `counting-2`, `gateway-1`. */
  readonly name: string;
  readonly kind: ProcessKind;
  /** Where it serves; the same after every restart. */
  readonly address: Address;
  /** Its plain HTTP port: `/livez` and `/readyz` of a service, the monitoring of NATS. PostgreSQL has none. */
  readonly managementPort: number | undefined;
  /** All runs append to it. */
  readonly logFile: string;
  /** Of the present run; undefined while it is down. */
  readonly pid: number | undefined;
  readonly paused: boolean;
  /** Every run so far, the present one last. */
  readonly runs: readonly ProcessRun[];
  /** Starts it, if it is down. Resolves when it is ready; rejects with its last log lines when that takes too long. */
  start(): Promise<void>;
  /** Whether it says now that it is ready; false when it is down or does not answer within a second. */
  isReady(): Promise<boolean>;
  /** Waits for a start by the supervisor and for readiness. Rejects with the last log lines after `longestMs` (30 s). */
  waitUntilReady(longestMs?: number): Promise<void>;
  /**
   * Ends it and all its children by SIGKILL and resolves when they are gone. The supervisor starts it again, unless it
   * has to stay down until `start`.
   */
  kill(options?: KillOptions): Promise<ProcessEnd>;
  /**
   * Ends it in order by SIGTERM (a fast shutdown for PostgreSQL); it stays down until `start`. Who has not ended after
   * `longestMs` (40 s) is killed, which shows in the result.
   */
  terminate(longestMs?: number): Promise<ProcessEnd>;
  /** `terminate`, then `start`: what a rolling restart does. */
  restart(): Promise<void>;
  /** Stops it and all its children by SIGSTOP until `resume`. */
  pause(): void;
  /** Lets it go on by SIGCONT. */
  resume(): void;
  /** The resident memory of the process itself, bytes; 0 while it is down. */
  residentBytes(): number;
  /** The last lines of the log. */
  lastLines(number?: number): string;
}

export interface KillOptions {
  /** It is not started again until `start`. */
  readonly stayDown?: boolean;
  /** Only the process itself is killed, and its children are left to notice: what happens to a postmaster (OOM). */
  readonly childrenLive?: boolean;
}

export interface PostgresqlProcess extends StackProcess {
  /** `postgres://...` of a service's own database, directly, as its superuser. */
  databaseUrl(database: 'counting' | 'policy'): string;
}

export interface NatsProcess extends StackProcess {
  /** `nats://host:port`, directly. */
  readonly url: string;
  readonly storeDirectory: string;
}

/** A kind of connection between two parts. */
export type Link =
  | 'gateway->counting'
  | 'gateway->policy'
  | 'gateway->nats'
  | 'counting->postgresql'
  | 'counting->nats'
  | 'policy->postgresql'
  | 'policy->nats';

/** One connection that a replica will be told to make. */
export interface Route {
  readonly link: Link;
  /** The replica that connects, for example `gateway-1`. */
  readonly from: string;
  /** The process that it connects to, for example `counting-2`. */
  readonly to: string;
  /** Where that process serves. */
  readonly target: Address;
}

/** What a replica is run with beside its settings. */
export interface ReplicaExtras {
  /** Options of Node itself, before the script. */
  readonly nodeFlags?: readonly string[];
  /** For example LD_PRELOAD of libfaketime, or a setting of this replica only. Wins over everything else. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface StackOptions {
  /** Made when it is missing; the data of an earlier run is used again. A temporary directory when left out. */
  readonly directory?: string;
  /** The port of the first replica; the others have the next ones. 0, as when left out, chooses free ones. */
  readonly ports?: Partial<Record<'gateway' | 'counting' | 'policy' | 'postgresql' | 'nats', number>>;
  /** How many replicas; 2 gateways, 2 countings and 1 policy when left out. */
  readonly counts?: Partial<Record<'gateways' | 'countings' | 'policies', number>>;
  /** Settings of every replica of a kind, beside or instead of those that the stack gives. */
  readonly environment?: Partial<Record<ServiceKind, Readonly<Record<string, string>>>>;
  /** What a single replica gets; asked once for each. */
  readonly replica?: (name: string, kind: ServiceKind) => ReplicaExtras;
  /**
   * Puts something between two parts: returns where the replica is told to connect instead. Asked once for each route
   * before any process runs; what it returns has to hold for the life of the stack.
   */
  readonly reroute?: (route: Route) => Address | Promise<Address>;
  /** Ends the start: what has been started is killed, and `startStack` rejects. */
  readonly signal?: AbortSignal;
  /** Where JetStream keeps its files, for example on a small file system; within `directory` when left out. */
  readonly natsStoreDirectory?: string;
  /** Whether a process that ends is started again (see StackProcess); yes unless told. */
  readonly supervise?: boolean;
  /** Gets a line for each step of the start. */
  readonly progress?: (line: string) => void;
}
