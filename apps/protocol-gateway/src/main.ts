import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { credentials } from '@grpc/grpc-js';
import { type Counting, CountingService } from '@muster/contracts/counting';
import { type LicensingPolicy, LicensingPolicyService } from '@muster/contracts/policy';
import { type VendorAuthority, VendorAuthorityService } from '@muster/contracts/vendor';
import { connectNatsBus } from '@muster/events';
import {
  type CommonSettings,
  connectTo,
  type Logger,
  natsConnectionOf,
  runService,
  type Settings,
  systemClock,
  TlsIdentity,
} from '@muster/service-kit';
import { ProtocolGateway } from './gateway.ts';
import { GatewayAnnouncer } from './gateway-announcer.ts';
import { gatewayChecks, gatewayStatus } from './gateway-status.ts';
import { gatewayLimits, gatewayServices, gatewaySettings } from './settings.ts';

await runService({
  name: 'protocol-gateway',
  purpose: 'speaks the activation protocol with clients.',
  managementListen: '127.0.0.1:7200',
  settings: gatewaySettings,
  async start({ settings, logger, tls, readiness, drainMs }) {
    const gatewayId = settings.MUSTER_GATEWAY_ID ?? `gateway-${randomBytes(4).toString('hex')}`;
    const { site, authority: authorityAddress } = gatewayServices(settings);
    const links = site && linksTo(site, tls);
    const authority = authorityAddress === undefined ? undefined : linkTo(authorityAddress, settings, tls, logger);
    // Who listens on the bus sends clients here that want to be activated.
    const nats = site && natsConnectionOf(settings);
    const bus =
      nats &&
      connectNatsBus({ ...nats, name: gatewayId, onStatus: ({ level, message }) => logger[level]({}, message) });
    const gateway = new ProtocolGateway({
      gatewayId,
      ...(links === undefined ? {} : { policy: links.policy.service, counting: links.counting.service }),
      ...(authority === undefined ? {} : { authority: authority.service }),
      clock: systemClock,
      logger,
      limits: gatewayLimits(settings, drainMs),
      proxyProtocolFrom: settings.MUSTER_GATEWAY_PROXY_PROTOCOL_FROM,
    });
    for (const check of gatewayChecks(gateway, bus)) readiness.add(check);
    const port = await gateway.start(settings.MUSTER_GATEWAY_ADDRESS, settings.MUSTER_GATEWAY_PORT);
    logger.info({ gatewayId, port }, 'listening');
    const announcer = new GatewayAnnouncer({
      announce: (announcement) => bus?.announceGateway(announcement),
      clock: systemClock,
      gatewayId,
      address: settings.MUSTER_GATEWAY_ANNOUNCE_ADDRESS ?? settings.MUSTER_GATEWAY_ADDRESS ?? hostname(),
      port: settings.MUSTER_GATEWAY_ANNOUNCE_PORT ?? port,
      connections: () => gateway.connectionsOpen,
    });
    announcer.start();
    return {
      status: () => ({ gatewayId, port, ...gatewayStatus(gateway) }),
      async stop() {
        // First of all, so that nobody is sent here any more.
        announcer.stop();
        await gateway.drain();
        links?.policy.close();
        links?.counting.close();
        authority?.close();
        await bus?.close();
      },
    };
  },
});

function linksTo(site: { readonly policy: string; readonly counting: string }, tls: TlsIdentity | undefined) {
  const plain = credentials.createInsecure();
  return {
    policy: connectTo<LicensingPolicy>(
      LicensingPolicyService,
      site.policy,
      tls?.channelCredentials('licensing-policy') ?? plain,
    ),
    counting: connectTo<Counting>(CountingService, site.counting, tls?.channelCredentials('counting') ?? plain),
  };
}

/** The vendor's authority, whose certificate may come from other authorities than those of a site. */
function linkTo(
  address: string,
  settings: Settings<typeof gatewaySettings> & CommonSettings,
  tls: TlsIdentity | undefined,
  logger: Logger,
) {
  const { MUSTER_GATEWAY_AUTHORITY_CA_FILE: caFile, MUSTER_TLS_TRUST_DOMAIN: trustDomain } = settings;
  const { MUSTER_TLS_CERTIFICATE_FILE: certificateFile = '', MUSTER_TLS_KEY_FILE: keyFile = '' } = settings;
  const own =
    tls === undefined || caFile === undefined
      ? undefined
      : new TlsIdentity({ caFile, certificateFile, keyFile, trustDomain }, 'protocol-gateway', logger);
  const security = (own ?? tls)?.channelCredentials('vendor-authority') ?? credentials.createInsecure();
  const { service, close } = connectTo<VendorAuthority>(VendorAuthorityService, address, security);
  const end = () => {
    close();
    own?.close();
  };
  return { service, close: end };
}
