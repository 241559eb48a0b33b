import { randomBytes } from 'node:crypto';
import { credentials } from '@grpc/grpc-js';
import { type Counting, CountingService } from '@muster/contracts/counting';
import { type LicensingPolicy, LicensingPolicyService } from '@muster/contracts/policy';
import { connectTo, hostAndPort, runService, systemClock, text, wholeNumber } from '@muster/service-kit';
import { ProtocolGateway } from './gateway.ts';
import { defaultLimits } from './limits.ts';

await runService({
  name: 'protocol-gateway',
  purpose: 'speaks the activation protocol with clients.',
  settings: {
    MUSTER_GATEWAY_COUNTING: hostAndPort().default('127.0.0.1:7101').describe('Address of counting'),
    MUSTER_GATEWAY_POLICY: hostAndPort().default('127.0.0.1:7102').describe('Address of licensing-policy'),
    MUSTER_GATEWAY_ADDRESS: text().optional().describe('Address to listen on; all when it is left out'),
    MUSTER_GATEWAY_PORT: wholeNumber(0, 65_535).default(1688).describe('TCP port for clients'),
    MUSTER_GATEWAY_CONNECTIONS_PER_ADDRESS: wholeNumber(0, 1_000_000)
      .default(defaultLimits.connectionsPerAddress)
      .describe('Most connections of one address; 0 for no limit, where many clients share one'),
    MUSTER_GATEWAY_ID: text()
      .default(`gateway-${randomBytes(4).toString('hex')}`)
      .describe('Names this replica in logs, credentials and the activation log'),
  },
  async start(settings, logger) {
    const plain = credentials.createInsecure();
    const policy = connectTo<LicensingPolicy>(LicensingPolicyService, settings.MUSTER_GATEWAY_POLICY, plain);
    const counting = connectTo<Counting>(CountingService, settings.MUSTER_GATEWAY_COUNTING, plain);
    const gateway = new ProtocolGateway({
      gatewayId: settings.MUSTER_GATEWAY_ID,
      policy: policy.service,
      counting: counting.service,
      clock: systemClock,
      logger,
      limits: { ...defaultLimits, connectionsPerAddress: settings.MUSTER_GATEWAY_CONNECTIONS_PER_ADDRESS },
    });
    const port = await gateway.start(settings.MUSTER_GATEWAY_ADDRESS, settings.MUSTER_GATEWAY_PORT);
    logger.info({ port }, 'listening');
    return async () => {
      await gateway.drain();
      policy.close();
      counting.close();
    };
  },
});
