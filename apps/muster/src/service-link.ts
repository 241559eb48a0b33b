import { credentials, type ServiceDefinition } from '@grpc/grpc-js';
import type { Role } from '@muster/contracts/methods';
import { MusterError } from '@muster/product-groups';
import { connectTo, createLogger, TlsIdentity } from '@muster/service-kit';
import type { ServiceOptions } from './commands/service-options.ts';

/**
 * Calls a service that runs as a process of its own, with the certificate of an administrator.
 *
 * @param address `host:port`.
 * @throws MusterError `SETTING_INVALID` when a TLS file is not named, `TLS_INVALID` when one cannot be used,
 * `NOT_AUTHORISED` and `UNAVAILABLE` from the call.
 */
export async function callService<Interface extends object, Result>(
  definition: ServiceDefinition,
  role: Role,
  address: string,
  options: ServiceOptions,
  call: (service: Interface) => Promise<Result>,
): Promise<Result> {
  const identity = options.plain ? undefined : openIdentity(options);
  const security = identity?.channelCredentials(role) ?? credentials.createInsecure();
  const { service, close } = connectTo<Interface>(definition, address, security);
  try {
    return await call(service);
  } finally {
    close();
    identity?.close();
  }
}

function openIdentity({ tlsCa, tlsCertificate, tlsKey, tlsTrustDomain }: ServiceOptions): TlsIdentity {
  if (tlsCa === undefined || tlsCertificate === undefined || tlsKey === undefined) {
    throw new MusterError({
      code: 'SETTING_INVALID',
      message: 'The certificate of an administrator is not named.',
      remedy: 'Give --tls-ca, --tls-certificate and --tls-key, or --plain where the service runs with MUSTER_TLS=off.',
    });
  }
  const files = { caFile: tlsCa, certificateFile: tlsCertificate, keyFile: tlsKey, trustDomain: tlsTrustDomain };
  return new TlsIdentity(files, 'administrator', createLogger('muster', 'silent'));
}
