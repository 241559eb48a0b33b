import type { BusHealth } from '@muster/events';
import type { Check } from '@muster/service-kit';
import type { ProtocolGateway } from './gateway.ts';

/**
 * What a gateway's readiness looks at. It is of no use without a policy and a credential. Without counting it still has
 * something to say, `UNAVAILABLE` and when to come back, and says it at once: a gateway that were taken away then would
 * leave its clients with a refused connection.
 *
 * @param bus undefined when no NATS server is named.
 */
export function gatewayChecks(gateway: ProtocolGateway, bus: { health(): BusHealth } | undefined): readonly Check[] {
  return [
    {
      name: 'credential',
      required: true,
      look: () => ({
        ok: gateway.credentialExpiresAtMs > 0,
        detail: describeCredential(gateway.credentialExpiresAtMs),
      }),
    },
    {
      name: 'counting',
      required: false,
      look: () => {
        const { lanes, lanesTrusted } = gateway.counting;
        return { ok: lanesTrusted > 0, detail: `${lanesTrusted} of ${lanes} streams are answered` };
      },
    },
    {
      name: 'announcements',
      required: false,
      look: () => {
        if (bus === undefined) return { ok: false, detail: 'MUSTER_NATS_SERVERS names no server' };
        const { connected, problem } = bus.health();
        return connected ? { ok: true } : { ok: false, detail: problem ?? 'NATS is not connected' };
      },
    },
  ];
}

/** What a gateway has done since it started, as one JSON value. */
export function gatewayStatus({ connectionsOpen, statistics, counting }: ProtocolGateway): object {
  const { connectionsAccepted, requests, results, foreignProtocols, limits } = statistics;
  return {
    connectionsOpen,
    connectionsAccepted,
    requests,
    results: Object.fromEntries(results),
    foreignProtocols: Object.fromEntries(foreignProtocols),
    limits: Object.fromEntries(limits),
    counting,
  };
}

function describeCredential(expiresAtMs: number): string {
  return expiresAtMs === 0 ? 'there is none' : `valid until ${new Date(expiresAtMs).toISOString()}`;
}
