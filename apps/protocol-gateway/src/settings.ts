import { MusterError } from '@muster/product-groups';
import { filePath, list, natsSettings, type Settings, serviceAddress, text, wholeNumber } from '@muster/service-kit';
import { type AddressRange, parseAddressRange } from './addresses.ts';
import { defaultLimits, type GatewayLimits } from './limits.ts';

const port = () => wholeNumber(1, 65_535);
const limit = (most: number) => wholeNumber(0, most);

/** In place of an address: there is none. */
const none = 'none';

/** The address of a service, or `none`. */
function addressOrNone() {
  const address = serviceAddress();
  return text()
    .refine((given) => given === none || address.safeParse(given).success, {
      error: ({ input }) => `${address.safeParse(input).error?.issues[0]?.message}, or ${none}`,
    })
    .meta({ typeName: 'HOST:PORT[,HOST:PORT...] or none' });
}

/** Where the services are that the settings name. */
export interface GatewayServices {
  /** Undefined in front of a vendor's authority alone. */
  readonly site: { readonly policy: string; readonly counting: string } | undefined;
  readonly authority: string | undefined;
}

/** The services that the settings name. @throws MusterError `SETTING_INVALID` when there is none. */
export function gatewayServices(settings: Settings<typeof gatewaySettings>): GatewayServices {
  const { MUSTER_GATEWAY_POLICY: policy, MUSTER_GATEWAY_COUNTING: counting } = settings;
  const authority = settings.MUSTER_GATEWAY_AUTHORITY;
  if (policy !== none) return { site: { policy, counting }, authority };
  if (authority !== undefined) return { site: undefined, authority };
  throw new MusterError({
    code: 'SETTING_INVALID',
    message:
      'MUSTER_GATEWAY_POLICY is none, and MUSTER_GATEWAY_AUTHORITY is missing: the gateway would take no request.',
    remedy: "Name licensing-policy, or the vendor's authority, or both.",
  });
}

/** Every setting of a gateway that runs as a process of its own. */
export const gatewaySettings = {
  MUSTER_GATEWAY_COUNTING: serviceAddress()
    .default('127.0.0.1:7101')
    .describe('Address of counting: a name that stands for all replicas, or their IP addresses'),
  MUSTER_GATEWAY_POLICY: addressOrNone()
    .default('127.0.0.1:7102')
    .describe(
      "Address of licensing-policy: a name that stands for all replicas, or their IP addresses. none in front of a vendor's authority alone: no activation requests are taken, and counting is not asked",
    ),
  MUSTER_GATEWAY_AUTHORITY: serviceAddress()
    .optional()
    .describe(
      "Address of a vendor's authority for gateways (MUSTER_AUTHORITY_ADMINISTRATION_LISTEN); with it MAK requests are taken",
    ),
  MUSTER_GATEWAY_AUTHORITY_CA_FILE: filePath()
    .optional()
    .describe(
      "Authorities of that connection, PEM: the one of the authority's certificate and the one of this gateway's own; MUSTER_TLS_CA_FILE when it is left out",
    ),
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
