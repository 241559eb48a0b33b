import { join } from 'node:path';
import { requireEngines } from '../requirements.ts';
import { StackAdministrator } from './administrator.ts';
import { CertificateStore } from './certificates.ts';
import { Guard } from './guard.ts';
import { openVendor, type StackVendor } from './install-policy.ts';
import type { ManagedProcess } from './managed-process.ts';
import { Nats } from './nats.ts';
import { choosePorts, loopback } from './ports.ts';
import { Postgresql } from './postgresql.ts';
import { serviceProcess } from './service-process.ts';
import { type PlannedReplica, ServiceSettings } from './service-settings.ts';
import type { ServiceKind, Stack, StackOptions } from './stack.ts';
import { openStackDirectory } from './stack-directory.ts';

/** Longest end in order of each of the five kinds of process; who needs longer is killed. */
const stageMs = 11_000;

/** What a start has opened so far, the last first: what a start that fails midway has to close. */
type Closers = (() => Promise<void> | void)[];

/** The parts of a stack, made and not yet started. */
interface Parts {
  readonly directory: string;
  readonly vendor: StackVendor;
  readonly certificates: CertificateStore;
  readonly administrator: StackAdministrator;
  readonly postgresql: Postgresql;
  readonly nats: Nats;
  readonly policies: readonly ManagedProcess[];
  readonly countings: readonly ManagedProcess[];
  readonly gateways: readonly ManagedProcess[];
}

/**
 * Starts a stack and waits until every part is ready, with the catalogue `windows-2008` and its widest key installed.
 *
 * @throws MissingRequirementsError that lists every engine that is missing; MusterError `PORT_IN_USE`,
 * `DATA_DIRECTORY_LOCKED` or `DATA_DIRECTORY_UNUSABLE`; Error with the last log lines of a part that does not become
 * ready. Then nothing is left behind.
 */
export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const engines = await requireEngines(['postgresql', 'nats']);
  options.signal?.throwIfAborted();
  const closers: Closers = [];
  let closing: Promise<void> | undefined;
  const close = () => {
    closing ??= closeAll(closers);
    return closing;
  };
  try {
    const parts = await makeParts(options, engines, closers);
    await untilAborted(startInOrder(parts, options.progress ?? (() => undefined)), options.signal);
    return asStack(parts, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function closeAll(closers: Closers): Promise<void> {
  for (let each = closers.pop(); each !== undefined; each = closers.pop()) await each();
}

async function makeParts(
  options: StackOptions,
  engines: { readonly postgresql: string; readonly nats: string },
  closers: Closers,
): Promise<Parts> {
  const { counts = {}, ports = {}, supervise = true } = options;
  const guard = new Guard();
  closers.push(() => guard.end());
  const opened = openStackDirectory(options.directory, guard);
  closers.push(() => opened.close());
  const directory = opened.path;
  const logFile = (name: string) => join(directory, 'logs', `${name}.log`);
  const portOf = async (name: 'postgresql' | 'nats') => (await choosePorts(ports[name] ?? 0, 1, name))[0] ?? 0;
  const replicas = (kind: 'policy' | 'counting' | 'gateway', count: number) => planned(kind, ports[kind] ?? 0, count);

  const policies = await replicas('policy', counts.policies ?? 1);
  const countings = await replicas('counting', counts.countings ?? 2);
  const gateways = await replicas('gateway', counts.gateways ?? 2);
  const common = { directory, supervise, guard };
  const postgresql = new Postgresql({
    ...common,
    programs: engines.postgresql,
    port: await portOf('postgresql'),
    logFile: logFile('postgresql'),
  });
  const [monitoringPort = 0] = await choosePorts(0, 1, 'nats');
  const nats = new Nats({
    ...common,
    program: engines.nats,
    storeDirectory: options.natsStoreDirectory ?? join(directory, 'nats'),
    port: await portOf('nats'),
    monitoringPort,
    logFile: logFile('nats'),
  });
  const certificates = new CertificateStore(join(directory, 'tls'));
  const settings = new ServiceSettings(
    { postgresql, nats: nats.address, policies, countings, gateways },
    options.reroute,
  );
  const serviceOf = async (
    kind: ServiceKind,
    replica: PlannedReplica,
    own: Promise<Readonly<Record<string, string>>>,
  ) =>
    serviceProcess({
      ...common,
      name: replica.name,
      kind,
      port: replica.address.port,
      managementPort: replica.managementPort,
      logFile: logFile(replica.name),
      tls: certificates.filesOf(replica.name, kind),
      settings: { ...(await own), ...options.environment?.[kind] },
      extras: options.replica?.(replica.name, kind) ?? {},
    });
  const hostKeySecretFile = join(directory, 'host-key.secret');
  const parts = {
    directory,
    vendor: openVendor(directory),
    certificates,
    administrator: new StackAdministrator(certificates, addressesOf(policies), addressesOf(countings)),
    postgresql,
    nats,
    policies: await inTurn(policies, (each) =>
      serviceOf('licensing-policy', each, settings.policy(each, hostKeySecretFile)),
    ),
    countings: await inTurn(countings, (each) => serviceOf('counting', each, settings.counting(each))),
    gateways: await inTurn(gateways, (each) => serviceOf('protocol-gateway', each, settings.gateway(each))),
  };
  closers.push(() => parts.administrator.close());
  closers.push(async () => {
    await Promise.all(processesOf(parts).map((each) => each.close()));
  });
  return parts;
}

async function planned(kind: string, firstPort: number, count: number): Promise<readonly PlannedReplica[]> {
  const ports = await choosePorts(firstPort, count, kind);
  const managementPorts = await choosePorts(0, count, kind);
  return ports.map((port, index) => ({
    name: `${kind}-${index + 1}`,
    address: { host: loopback, port },
    managementPort: managementPorts[index] ?? 0,
  }));
}

async function startInOrder(parts: Parts, progress: (line: string) => void): Promise<void> {
  const { postgresql, nats, policies, countings, gateways, vendor, administrator } = parts;
  progress('Starting PostgreSQL and NATS.');
  await Promise.all([startPostgresql(postgresql), nats.start()]);
  progress('Starting licensing-policy and counting.');
  await Promise.all([...policies, ...countings].map((each) => each.start()));
  progress('Installing the catalogue and the key.');
  await vendor.install(administrator.policy());
  progress('Starting the gateways.');
  await Promise.all(gateways.map((each) => each.start()));
}

async function startPostgresql(postgresql: Postgresql): Promise<void> {
  await postgresql.initialise();
  await postgresql.start();
  await postgresql.createDatabases();
}

/** Rejects as soon as the signal aborts; what goes on meanwhile fails when its processes are closed. */
async function untilAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work;
  work.catch(() => undefined);
  signal.throwIfAborted();
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
  await Promise.race([work, aborted]);
}

function asStack(parts: Parts, close: () => Promise<void>): Stack {
  const { directory, vendor, certificates, administrator, postgresql, nats, policies, countings, gateways } = parts;
  const processes = processesOf(parts);
  return {
    directory,
    vendorKeyFile: vendor.keyFile,
    vendorKeyJwk: vendor.keyJwk,
    processes,
    postgresql,
    nats,
    policies,
    countings,
    gateways,
    certificates,
    administrator,
    process(name) {
      const found = processes.find((each) => each.name === name);
      if (found === undefined) throw new Error(`The stack has no process ${name}.`);
      return found;
    },
    async stop() {
      try {
        for (const stage of [gateways, countings, policies, [nats], [postgresql]]) {
          await Promise.all(stage.map((each) => each.terminate(stageMs)));
        }
      } finally {
        await close();
      }
    },
    kill: close,
  };
}

function processesOf({ postgresql, nats, policies, countings, gateways }: Parts): readonly ManagedProcess[] {
  return [postgresql, nats, ...policies, ...countings, ...gateways];
}

function addressesOf(replicas: readonly PlannedReplica[]) {
  return replicas.map(({ address }) => address);
}

/** One after the other: the caller is asked about routes in a fixed order. */
async function inTurn<From, To>(
  values: readonly From[],
  convert: (value: From) => Promise<To>,
): Promise<readonly To[]> {
  const converted: To[] = [];
  for (const value of values) converted.push(await convert(value));
  return converted;
}
