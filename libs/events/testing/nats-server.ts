import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** What a NATS server of a test's own is started with. */
export interface NatsServerOptions {
  /** Where JetStream keeps its files; a directory that `stop` removes when it is left out. */
  readonly storeDirectory?: string;
  /** A free one when it is left out. */
  readonly port?: number;
  /** Further lines of the server's configuration. */
  readonly configuration?: string;
}

/** A NATS server with JetStream of a test's own, on loopback. */
export interface NatsServer {
  readonly url: string;
  readonly port: number;
  readonly storeDirectory: string;
  /** Of the process that runs at this moment. */
  readonly pid: number;
  /** Sends a signal; SIGKILL, SIGTERM and SIGINT wait for the end. SIGKILL unless told. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Stops the process where it is (SIGSTOP), until `continue`; it stands still when the promise is fulfilled. */
  pause(): Promise<void>;
  /** Lets a paused process run on. */
  continue(): void;
  /** Starts it again on the same port and store, after ending it if it still runs. */
  restart(): Promise<void>;
  /** Ends it and removes what it had made. */
  stop(): Promise<void>;
}

const startTimeoutMs = 20_000;

/**
 * The path of `nats-server`: on PATH, or where Debian keeps the programs of administrators.
 *
 * @throws Error when it is not installed.
 */
export function natsServerPath(): string {
  const directories = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin'];
  const path = directories.map((directory) => join(directory, 'nats-server')).find(existsSync);
  if (path === undefined) {
    throw new Error('nats-server is not installed: on Debian `apt-get install nats-server`, else see nats.io.');
  }
  return path;
}

/** Major and minor version of a `nats-server`, for example [2, 9]. */
export function natsServerVersion(path = natsServerPath()): readonly [number, number] {
  const text = execFileSync(path, ['--version'], { encoding: 'utf8' });
  const [, major, minor] = /v(\d+)\.(\d+)\./.exec(text) ?? [];
  if (major === undefined || minor === undefined) throw new Error(`nats-server has no version in ${text}`);
  return [Number(major), Number(minor)];
}

/**
 * Starts a real NATS server with JetStream.
 *
 * @throws Error with what the server wrote when it does not come up, or when it is not installed.
 */
export async function startNatsServer(options: NatsServerOptions = {}): Promise<NatsServer> {
  const path = natsServerPath();
  const root = mkdtempSync(join(tmpdir(), 'muster-nats-'));
  const storeDirectory = options.storeDirectory ?? join(root, 'jetstream');
  const port = options.port ?? (await freePort());
  const configurationFile = join(root, 'nats.conf');
  const logFile = join(root, 'server.log');
  mkdirSync(storeDirectory, { recursive: true });
  const jetstream = `jetstream { store_dir: ${JSON.stringify(storeDirectory)} }`;
  writeFileSync(configurationFile, `listen: "127.0.0.1:${port}"\n${jetstream}\n${options.configuration ?? ''}\n`);

  let child: ChildProcess | undefined;
  const start = async () => {
    const log = openSync(logFile, 'a');
    child = spawn(path, ['-c', configurationFile], { stdio: ['ignore', log, log] });
    await waitForGreeting(child, port, () => readFileSync(logFile, 'utf8'));
  };
  const end = async (signal: NodeJS.Signals) => {
    if (child === undefined || hasEnded(child)) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    // A paused process ends by nothing but SIGKILL before it runs on.
    child.kill('SIGCONT');
    await ended;
  };

  try {
    await start();
  } catch (error) {
    await end('SIGKILL');
    rmSync(root, { recursive: true, force: true });
    throw error;
  }
  return {
    url: `nats://127.0.0.1:${port}`,
    port,
    storeDirectory,
    get pid() {
      return child?.pid ?? 0;
    },
    async kill(signal = 'SIGKILL') {
      if (signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT') await end(signal);
      else child?.kill(signal);
    },
    async pause() {
      child?.kill('SIGSTOP');
      if (child?.pid !== undefined) await standsStill(child.pid);
    },
    continue: () => void child?.kill('SIGCONT'),
    async restart() {
      await end('SIGKILL');
      await start();
    },
    async stop() {
      await end('SIGKILL');
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** The server greets each connection with a line, once it serves and JetStream has read its store. */
async function waitForGreeting(child: ChildProcess, port: number, log: () => string): Promise<void> {
  const deadline = performance.now() + startTimeoutMs;
  while (performance.now() < deadline) {
    if (hasEnded(child)) break;
    if (await greets(port)) return;
    await delay(25);
  }
  throw new Error(`nats-server does not serve on port ${port}:\n${log()}`);
}

function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.setTimeout(1_000, () => socket.destroy());
    socket.once('data', (bytes) => {
      resolve(bytes.toString().startsWith('INFO '));
      socket.destroy();
    });
    socket.once('error', () => undefined);
    socket.once('close', () => resolve(false));
  });
}

/** A signal reaches the threads of a process one after the other. Elsewhere than on Linux nobody tells when. */
async function standsStill(pid: number): Promise<void> {
  const tasks = `/proc/${pid}/task`;
  const deadline = performance.now() + 5_000;
  while (existsSync(tasks) && performance.now() < deadline) {
    const states = readdirSync(tasks).map((task) => readFileSync(`${tasks}/${task}/stat`, 'utf8'));
    if (states.every((state) => /\) [Tt] /.test(state))) return;
    await delay(5);
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === 'string') throw new Error('the probe has no port');
  return address.port;
}
