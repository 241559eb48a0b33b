import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { environmentWith } from './environment.ts';
import type { Guard } from './guard.ts';
import { httpProbe } from './http-probe.ts';
import { ManagedProcess } from './managed-process.ts';
import { natsConfiguration } from './nats-configuration.ts';
import { loopback } from './ports.ts';
import type { NatsProcess } from './stack.ts';

/** What is shipped for NATS servers of Muster. */
const shippedFile = fileURLToPath(new URL('../../../deploy/nats/nats.conf', import.meta.url));

/** How NATS is run. */
export interface NatsOptions {
  readonly program: string;
  /** Of the stack. */
  readonly directory: string;
  /** Of JetStream. */
  readonly storeDirectory: string;
  readonly port: number;
  readonly monitoringPort: number;
  readonly logFile: string;
  readonly supervise: boolean;
  readonly guard: Guard;
}

/** A NATS server with JetStream, with the configuration that Muster ships, on ports and a directory of the stack. */
export class Nats extends ManagedProcess implements NatsProcess {
  readonly storeDirectory: string;

  constructor(options: NatsOptions) {
    const { port, monitoringPort, logFile, supervise, guard, storeDirectory } = options;
    const configuration = join(options.directory, 'nats.conf');
    mkdirSync(storeDirectory, { recursive: true });
    const changes = { version: versionOf(options.program), storeDirectory };
    writeFileSync(configuration, natsConfiguration(readFileSync(shippedFile, 'utf8'), changes));
    super({
      name: 'nats',
      kind: 'nats',
      address: { host: loopback, port },
      managementPort: monitoringPort,
      logFile,
      command: {
        program: options.program,
        // Parameters win over the file.
        parameters: [
          ...['--config', configuration, '--addr', loopback, '--port', String(port)],
          ...['--http_port', String(monitoringPort)],
        ],
        environment: environmentWith({}),
      },
      probe: httpProbe(monitoringPort, '/healthz'),
      endSignal: 'SIGTERM',
      hopelessCodes: [],
      supervise,
      guard,
    });
    this.storeDirectory = storeDirectory;
  }

  get url(): string {
    return `nats://${loopback}:${this.address.port}`;
  }
}

function versionOf(program: string): readonly [number, number] {
  const text = execFileSync(program, ['--version'], { encoding: 'utf8', timeout: 10_000 });
  const [, major, minor] = /v?(\d+)\.(\d+)/.exec(text) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0)];
}
