import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { credentials } from '@grpc/grpc-js';
import { type Counting, CountingService } from '@muster/contracts/counting';
import { type LicensingPolicy, LicensingPolicyService } from '@muster/contracts/policy';
import { connectNatsBus } from '@muster/events';
import { connectTo, natsConnectionOf, runService, systemClock } from '@muster/service-kit';
import { ProtocolGateway } from './gateway.ts';
import { GatewayAnnouncer } from './gateway-announcer.ts';
import { gatewayChecks, gatewayStatus } from './gateway-status.ts';
import { gatewayLimits, gatewaySettings } from './settings.ts';

await runService({
  name: 'protocol-gateway',
  purpose: 'speaks the activation protocol with clients.',
  managementListen: '127.0.0.1:7200',
  settings: gatewaySettings,
  async start({ settings, logger, tls, readiness, drainMs }) {
    const gatewayId = settings.MUSTER_GATEWAY_ID ?? `gateway-${randomBytes(4).toString('hex')}`;
    const plain = credentials.createInsecure();
    const policy = connectTo<LicensingPolicy>(
      LicensingPolicyService,
      settings.MUSTER_GATEWAY_POLICY,
      tls?.channelCredentials('licensing-policy') ?? plain,
    );
    const counting = connectTo<Counting>(
      CountingService,
      settings.MUSTER_GATEWAY_COUNTING,
      tls?.channelCredentials('counting') ?? plain,
    );
    const nats = natsConnectionOf(settings);
    const bus =
      nats &&
      connectNatsBus({ ...nats, name: gatewayId, onStatus: ({ level, message }) => logger[level]({}, message) });
    const gateway = new ProtocolGateway({
      gatewayId,
      policy: policy.service,
      counting: counting.service,
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
        policy.close();
        counting.close();
        await bus?.close();
      },
    };
  },
});
