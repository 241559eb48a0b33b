import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { type ChannelCredentials, credentials } from '@grpc/grpc-js';
import {
  type VendorAdministration,
  VendorAdministrationService,
  type VendorAuthority,
  VendorAuthorityService,
} from '@muster/contracts/vendor';
import { connectTo } from '@muster/service-kit';

/** Addresses of loopback on which nobody listens, each another one. */
export async function freeAddresses(count: number): Promise<readonly string[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      return server;
    }),
  );
  const addresses = servers.map((server) => {
    const bound = server.address();
    if (bound === null || typeof bound === 'string') throw new Error('the listener has no port');
    return `127.0.0.1:${bound.port}`;
  });
  for (const server of servers) {
    server.close();
    await once(server, 'close');
  }
  return addresses;
}

/** A vendor authority as a process of its own, by its own `main.ts`. */
export interface AuthorityProcess {
  readonly authority: VendorAuthority;
  readonly administration: VendorAdministration;
  /** What it has written so far: JSON lines. */
  log(): string;
  /** Ends it by SIGKILL and waits for its end. */
  kill(): Promise<void>;
  /** Ends it by SIGTERM. @returns its exit code. */
  stop(): Promise<number | null>;
}

/** Where an authority keeps what it has, and where it is reached. */
export interface AuthorityPlaces {
  readonly database: string;
  readonly secretFile: string;
  /** Public, administration and management. */
  readonly addresses: readonly string[];
}

/** TLS of a process: its settings, and what callers of the two ports show. Without it, TLS is off. */
export interface ProcessTls {
  readonly environment: Readonly<Record<string, string>>;
  readonly open: ChannelCredentials;
  readonly inner: ChannelCredentials;
}

const plain: ProcessTls = {
  environment: { MUSTER_TLS: 'off' },
  open: credentials.createInsecure(),
  inner: credentials.createInsecure(),
};

const startMs = 60_000;

/** Starts a process and waits until it is ready. */
export async function startAuthority(
  { database, secretFile, addresses }: AuthorityPlaces,
  tls: ProcessTls = plain,
): Promise<AuthorityProcess> {
  const [open = '', inner = '', management = ''] = addresses;
  const child = spawn(process.execPath, [fileURLToPath(new URL('../src/main.ts', import.meta.url))], {
    env: {
      PATH: process.env.PATH,
      ...tls.environment,
      MUSTER_AUTHORITY_DATABASE: database,
      MUSTER_AUTHORITY_SECRET_FILE: secretFile,
      MUSTER_AUTHORITY_LISTEN: open,
      MUSTER_AUTHORITY_ADMINISTRATION_LISTEN: inner,
      MUSTER_MANAGEMENT_LISTEN: management,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    log += text;
  });
  await until(async () => {
    if (hasEnded(child)) throw new Error(`the authority has ended: ${log}`);
    return (await fetch(`http://${management}/readyz`)).ok;
  });
  const authority = connectTo<VendorAuthority>(VendorAuthorityService, open, tls.open);
  const administration = connectTo<VendorAdministration>(VendorAdministrationService, inner, tls.inner);
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    const ended = once(child, 'exit');
    if (hasEnded(child)) return child.exitCode;
    child.kill(signal);
    const [code] = await ended;
    authority.close();
    administration.close();
    return code as number | null;
  };
  return {
    authority: authority.service,
    administration: administration.service,
    log: () => log,
    kill: async () => {
      await end('SIGKILL');
    },
    stop: () => end('SIGTERM'),
  };
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Asks again until it holds; a connection that is refused is no answer. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const sinceMs = performance.now(); ; ) {
    const held = await holds().catch((error: Error) => {
      if (error.message.startsWith('the authority has ended')) throw error;
      return false;
    });
    if (held) return;
    if (performance.now() - sinceMs > startMs) throw new Error('the authority was not ready in time');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
