import { list, natsSettings, type Settings, serviceAddress, text, wholeNumber } from '@muster/service-kit';
import { type AddressRange, parseAddressRange } from './addresses.ts';
import { defaultLimits, type GatewayLimits } from './limits.ts';

const port = () => wholeNumber(1, 65_535);
const limit = (most: number) => wholeNumber(0, most);

/** Every setting of a gateway that runs as a process of its own. */
export const gatewaySettings = {
  MUSTER_GATEWAY_COUNTING: serviceAddress()
    .default('127.0.0.1:7101')
    .describe('Address of counting: a name that stands for all replicas, or their IP addresses'),
  MUSTER_GATEWAY_POLICY: serviceAddress()
    .default('127.0.0.1:7102')
    .describe('Address of licensing-policy: a name that stands for all replicas, or their IP addresses'),
  MUSTER_GATEWAY_ADDRESS: text('address').optional().describe('Address to listen on; all when it is left out'),
  MUSTER_GATEWAY_PORT: wholeNumber(0, 65_535).default(1688).describe('TCP port for clients; 0 for any free one'),
  MUSTER_GATEWAY_ID: text('name')
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'it is 1 to 64 letters, digits, hyphens and underscores')
    .meta({ typeName: 'name' })
    .optional()
    .describe('Names this replica in logs, credentials and the activation log; random when it is left out'),
  MUSTER_GATEWAY_ANNOUNCE_ADDRESS: text('host')
    .optional()
    .describe(
      'Host name or address by which clients reach this gateway, told on the bus; MUSTER_GATEWAY_ADDRESS, else the host name, when it is left out',
    ),
  MUSTER_GATEWAY_ANNOUNCE_PORT: port()
    .optional()
    .describe('Port by which clients reach this gateway, told on the bus; the own one when it is left out'),
  MUSTER_GATEWAY_PROXY_PROTOCOL_FROM: list('CIDR[,CIDR...]')
    .transform((ranges, context) =>
      ranges.flatMap((range): readonly AddressRange[] => {
        const parsed = parseAddressRange(range);
        if (parsed === undefined)
          context.addIssue({ code: 'custom', message: `${range} is no range such as 10.0.0.0/8` });
        return parsed === undefined ? [] : [parsed];
      }),
    )
    .meta({ typeName: 'CIDR[,CIDR...]' })
    .default([])
    .describe(
      'Load balancers that begin each connection with a PROXY protocol header, version 2; from them it is required, from nobody else it is taken',
    ),
  MUSTER_GATEWAY_CONNECTIONS: wholeNumber(1, 1_000_000)
    .optional()
    .describe('Most open connections; nine tenths of the open-files limit, at most 60,000, when it is left out'),
  MUSTER_GATEWAY_CONNECTIONS_PER_ADDRESS: limit(1_000_000)
    .default(defaultLimits.connectionsPerAddress)
    .describe('Most open connections of one address; 0 for no limit, where many clients share one'),
  MUSTER_GATEWAY_CONNECTION_RATE_PER_ADDRESS: limit(1_000_000)
    .default(defaultLimits.connectionRatePerAddress)
    .describe('New connections of one address in a second, five times as many at once; 0 for no limit'),
  MUSTER_GATEWAY_REQUEST_RATE_PER_ADDRESS: limit(1_000_000)
    .default(defaultLimits.requestRatePerAddress)
    .describe('Requests of one address in a second, five times as many at once; 0 for no limit'),
  ...natsSettings(),
};

/** The limits that the settings ask for. */
export function gatewayLimits(settings: Settings<typeof gatewaySettings>, drainMs: number): GatewayLimits {
  return {
    ...defaultLimits,
    connections: settings.MUSTER_GATEWAY_CONNECTIONS ?? defaultLimits.connections,
    connectionsPerAddress: settings.MUSTER_GATEWAY_CONNECTIONS_PER_ADDRESS,
    connectionRatePerAddress: settings.MUSTER_GATEWAY_CONNECTION_RATE_PER_ADDRESS,
    requestRatePerAddress: settings.MUSTER_GATEWAY_REQUEST_RATE_PER_ADDRESS,
    // A little before the process would be ended.
    drainMs: Math.min(defaultLimits.drainMs, Math.max(0, drainMs - 1_000)),
  };
}
