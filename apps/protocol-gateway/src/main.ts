import { randomBytes } from 'node:crypto';
import { credentials } from '@grpc/grpc-js';
import { type Counting, CountingService } from '@muster/contracts/counting';
import { type LicensingPolicy, LicensingPolicyService } from '@muster/contracts/policy';
import { connectTo, runService, serviceAddress, systemClock, text, wholeNumber } from '@muster/service-kit';
import { ProtocolGateway } from './gateway.ts';
import { defaultLimits } from './limits.ts';

await runService({
  name: 'protocol-gateway',
  purpose: 'speaks the activation protocol with clients.',
  managementListen: '127.0.0.1:7200',
  settings: {
    MUSTER_GATEWAY_COUNTING: serviceAddress()
      .default('127.0.0.1:7101')
      .describe('Address of counting: a name that stands for all replicas, or their IP addresses'),
    MUSTER_GATEWAY_POLICY: serviceAddress()
      .default('127.0.0.1:7102')
      .describe('Address of licensing-policy: a name that stands for all replicas, or their IP addresses'),
    MUSTER_GATEWAY_ADDRESS: text('address').optional().describe('Address to listen on; all when it is left out'),
    MUSTER_GATEWAY_PORT: wholeNumber(0, 65_535).default(1688).describe('TCP port for clients'),
    MUSTER_GATEWAY_CONNECTIONS_PER_ADDRESS: wholeNumber(0, 1_000_000)
      .default(defaultLimits.connectionsPerAddress)
      .describe('Most connections of one address; 0 for no limit, where many clients share one'),
    MUSTER_GATEWAY_ID: text('name')
      .default(`gateway-${randomBytes(4).toString('hex')}`)
      .describe('Names this replica in logs, credentials and the activation log'),
  },
  async start({ settings, logger, tls, readiness }) {
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
    const gateway = new ProtocolGateway({
      gatewayId: settings.MUSTER_GATEWAY_ID,
      policy: policy.service,
      counting: counting.service,
      clock: systemClock,
      logger,
      limits: { ...defaultLimits, connectionsPerAddress: settings.MUSTER_GATEWAY_CONNECTIONS_PER_ADDRESS },
    });
    readiness.add({
      name: 'credential',
      required: true,
      look: () => ({
        ok: gateway.credentialExpiresAtMs > 0,
        detail: describeCredential(gateway.credentialExpiresAtMs),
      }),
    });
    const port = await gateway.start(settings.MUSTER_GATEWAY_ADDRESS, settings.MUSTER_GATEWAY_PORT);
    logger.info({ port }, 'listening');
    return {
      status: () => ({ port, ...gatewayStatus(gateway) }),
      async stop() {
        await gateway.drain();
        policy.close();
        counting.close();
      },
    };
  },
});

function gatewayStatus({ connectionsOpen, statistics }: ProtocolGateway): object {
  const { connectionsAccepted, requests, results, foreignProtocols, limits } = statistics;
  return {
    connectionsOpen,
    connectionsAccepted,
    requests,
    results: Object.fromEntries(results),
    foreignProtocols: Object.fromEntries(foreignProtocols),
    limits: Object.fromEntries(limits),
  };
}

function describeCredential(expiresAtMs: number): string {
  return expiresAtMs === 0 ? 'there is none' : `valid until ${new Date(expiresAtMs).toISOString()}`;
}
