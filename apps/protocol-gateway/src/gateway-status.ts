import type { BusHealth } from '@muster/events';
import type { Check } from '@muster/service-kit';
import type { ProtocolGateway } from './gateway.ts';

/**
 * What a gateway's readiness looks at. Where it takes activation requests, it is of no use without a policy and a
 * credential. Without counting or the authority it still has something to say, `UNAVAILABLE` and when to come back, and
 * says it at once: a gateway that were taken away then would leave its clients with a refused connection.
 *
 * @param bus undefined when no NATS server is named.
 */
export function gatewayChecks(gateway: ProtocolGateway, bus: { health(): BusHealth } | undefined): readonly Check[] {
  const activations = gateway.counting === undefined ? [] : activationChecks(gateway, bus);
  return gateway.authority === undefined ? activations : [...activations, authorityCheck(gateway)];
}

function authorityCheck(gateway: ProtocolGateway): Check {
  return {
    name: 'authority',
    required: false,
    look: () => {
      const problem = gateway.authority?.problem;
      return problem === undefined ? { ok: true } : { ok: false, detail: problem };
    },
  };
}

function activationChecks(gateway: ProtocolGateway, bus: { health(): BusHealth } | undefined): readonly Check[] {
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
        const { lanes = 0, lanesTrusted = 0 } = gateway.counting ?? {};
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
export function gatewayStatus({ connectionsOpen, statistics, counting, authority }: ProtocolGateway): object {
  const { connectionsAccepted, requests, makRequests, results, makResults, foreignProtocols, limits } = statistics;
  return {
    connectionsOpen,
    connectionsAccepted,
    requests,
    results: Object.fromEntries(results),
    foreignProtocols: Object.fromEntries(foreignProtocols),
    limits: Object.fromEntries(limits),
    ...(counting === undefined ? {} : { counting }),
    ...(authority === undefined
      ? {}
      : { authority: { ...authority, requests: makRequests, results: Object.fromEntries(makResults) } }),
  };
}

function describeCredential(expiresAtMs: number): string {
  return expiresAtMs === 0 ? 'there is none' : `valid until ${new Date(expiresAtMs).toISOString()}`;
}
