import { Option } from '@commander-js/extra-typings';

/** Where a service is that runs as a process of its own, and how this command shows that it may call it. */
export interface ServiceOptions {
  readonly tlsCa?: string | undefined;
  readonly tlsCertificate?: string | undefined;
  readonly tlsKey?: string | undefined;
  readonly tlsTrustDomain: string;
  readonly plain: boolean;
}

/** The options by which a command reaches services apart; the variables are the ones that the services take. */
export const serviceOptions = {
  ca: () => new Option('--tls-ca <file>', "authorities of the site's certificates, PEM").env('MUSTER_TLS_CA_FILE'),
  certificate: () =>
    new Option('--tls-certificate <file>', 'certificate of the role administrator, PEM').env(
      'MUSTER_TLS_CERTIFICATE_FILE',
    ),
  key: () => new Option('--tls-key <file>', 'its private key, PEM').env('MUSTER_TLS_KEY_FILE'),
  trustDomain: () =>
    new Option('--tls-trust-domain <domain>', 'roles are named spiffe://DOMAIN/ROLE')
      .env('MUSTER_TLS_TRUST_DOMAIN')
      .default('muster'),
  plain: () => new Option('--plain', 'without TLS, where the service runs with MUSTER_TLS=off').default(false),
};
