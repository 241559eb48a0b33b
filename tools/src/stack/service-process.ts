import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TlsFiles } from '@muster/service-kit';
import { environmentWith } from './environment.ts';
import type { Guard } from './guard.ts';
import { httpProbe } from './http-probe.ts';
import { ManagedProcess } from './managed-process.ts';
import { loopback } from './ports.ts';
import type { Address, ReplicaExtras, ServiceKind } from './stack.ts';

const appsDirectory = fileURLToPath(new URL('../../../apps/', import.meta.url));

/** Wrong settings or TLS files (libs/service-kit/src/run-service.ts). */
const wrongSettings = 2;

/** How a replica of a service is run. */
export interface ServiceOptions {
  readonly name: string;
  readonly kind: ServiceKind;
  readonly port: number;
  readonly managementPort: number;
  readonly logFile: string;
  readonly tls: TlsFiles;
  /** Its settings; TLS and the management port are added. */
  readonly settings: Readonly<Record<string, string>>;
  readonly extras: ReplicaExtras;
  readonly supervise: boolean;
  readonly guard: Guard;
}

/** A replica of a service: `node apps/<service>/src/main.ts`. */
export function serviceProcess(options: ServiceOptions): ManagedProcess {
  const { name, kind, port, managementPort, logFile, tls, settings, extras, supervise, guard } = options;
  return new ManagedProcess({
    name,
    kind,
    address: { host: loopback, port },
    managementPort,
    logFile,
    command: {
      program: process.execPath,
      parameters: [...(extras.nodeFlags ?? []), join(appsDirectory, kind, 'src/main.ts')],
      environment: environmentWith({
        MUSTER_TLS_CA_FILE: tls.caFile,
        MUSTER_TLS_CERTIFICATE_FILE: tls.certificateFile,
        MUSTER_TLS_KEY_FILE: tls.keyFile,
        MUSTER_TLS_TRUST_DOMAIN: tls.trustDomain,
        MUSTER_MANAGEMENT_LISTEN: textOf({ host: loopback, port: managementPort }),
        ...settings,
        ...extras.environment,
      }),
    },
    probe: httpProbe(managementPort, '/readyz'),
    endSignal: 'SIGTERM',
    hopelessCodes: [wrongSettings],
    supervise,
    guard,
  });
}

/** `host:port`. */
export function textOf({ host, port }: Address): string {
  return `${host}:${port}`;
}
