import { describe, expect, it } from 'vitest';
import { brokenPromises, measuredKind } from './measured-kinds.ts';
import type { Fare } from './observations.ts';

function fare(attempts: number, answered: number, latencyMs = 10): Fare {
  return { attempts, answered, outcomes: {}, latenciesMs: Array(attempts).fill(latencyMs) };
}

describe('what is promised during a fault', () => {
  it.each([
    [{ kind: 'pause', process: 'postgresql', holdMs: 1 } as const, 'told-within-a-second'],
    [{ kind: 'kill', process: 'policy-1' } as const, 'all-answered'],
    [{ kind: 'down', process: 'nats', holdMs: 1 } as const, 'all-answered'],
    [{ kind: 'cut', link: 'gateway-2->policy-1', holdMs: 1 } as const, 'all-answered'],
    [{ kind: 'disk-full', holdMs: 1 } as const, 'all-answered'],
    [{ kind: 'certificates', newAuthority: true } as const, 'all-answered'],
    [{ kind: 'kill', process: 'gateway-1' } as const, undefined],
    [{ kind: 'cut', link: 'counting-1->postgresql', holdMs: 1 } as const, undefined],
  ])('%j: %s', (fault, promised) => {
    expect(measuredKind(fault).promised).toBe(promised);
  });

  const nats = measuredKind({ kind: 'kill', process: 'nats' });
  const postgresql = measuredKind({ kind: 'pause', process: 'postgresql', holdMs: 1 });

  it('is broken by one attempt without an answer while NATS or policy is away', () => {
    expect(brokenPromises({ ...nats, fares: [fare(100, 100)], recoveriesMs: [20_000] })).toEqual([]);
    const [broken] = brokenPromises({ ...nats, fares: [fare(100, 100), fare(50, 49)], recoveriesMs: [] });
    expect(broken).toContain('1 of 150 attempts had no answer');
  });

  it('is broken by clients that wait for more than a second, or a slow recovery, while PostgreSQL is away', () => {
    expect(brokenPromises({ ...postgresql, fares: [fare(200, 0, 990)], recoveriesMs: [4_990] })).toEqual([]);
    const slow = { ...fare(97, 0), latenciesMs: [...Array(97).fill(10), 1_001, 1_001, 1_001], attempts: 100 };
    expect(brokenPromises({ ...postgresql, fares: [slow], recoveriesMs: [100] })[0]).toContain('1001 ms at p99');
    expect(brokenPromises({ ...postgresql, fares: [fare(200, 0)], recoveriesMs: [5_001] })[0]).toContain('5001 ms');
  });
});
