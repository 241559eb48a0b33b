import { describe, expect, it } from 'vitest';
import { Dealer, roundsPerDeck, type Topology } from './deck.ts';
import { describeFault, type Fault, faultKinds, touched } from './fault.ts';
import { SeededRandom } from './seeded-random.ts';

const topology: Topology = {
  policies: ['policy-1'],
  countings: ['counting-1', 'counting-2'],
  gateways: ['gateway-1', 'gateway-2'],
  links: [
    ...['gateway-1->counting-1', 'gateway-1->counting-2', 'gateway-2->counting-1', 'gateway-2->counting-2'],
    ...['gateway-1->policy-1', 'gateway-2->policy-1', 'gateway-1->nats', 'gateway-2->nats'],
    ...['counting-1->postgresql', 'counting-2->postgresql', 'counting-1->nats', 'counting-2->nats'],
    ...['policy-1->postgresql', 'policy-1->nats', 'clients->gateway-1', 'clients->gateway-2'],
  ],
};

function deal(seed: number, rounds = roundsPerDeck): (readonly Fault[])[] {
  const dealer = new Dealer(topology, new SeededRandom(seed));
  return Array.from({ length: rounds }, () => dealer.next());
}

describe('sixty rounds of faults', () => {
  const seeds = [1, 2, 3, 20_261_124, 0xffff_ffff];

  it('follow from the seed', () => {
    expect(deal(7)).toEqual(deal(7));
    expect(deal(7)).not.toEqual(deal(8));
  });

  it.each(seeds)('cover every kind and every part, with the seed %d', (seed) => {
    const faults = deal(seed).flat();
    for (const kind of faultKinds) {
      expect(faults.filter((fault) => fault.kind === kind).length, kind).toBeGreaterThanOrEqual(2);
    }
    const kills = faults.flatMap((fault) => (fault.kind === 'kill' ? [fault.process] : []));
    const pauses = faults.flatMap((fault) => (fault.kind === 'pause' ? [fault.process] : []));
    const { policies, countings, gateways } = topology;
    for (const process of [...policies, ...countings, ...gateways, 'postgresql', 'nats']) {
      expect(kills.filter((each) => each === process)).toHaveLength(3);
      expect(pauses.filter((each) => each === process)).toHaveLength(2);
    }
    const links = faults.flatMap((fault) => ('link' in fault ? [fault.link] : []));
    expect(new Set(links)).toEqual(new Set(topology.links));
  });

  it.each(seeds)('never hit one part twice at a time, with the seed %d', (seed) => {
    const rounds = deal(seed);
    expect(rounds.filter((faults) => faults.length === 2).length).toBeGreaterThan(10);
    for (const faults of rounds) {
      const parts = faults.flatMap(touched);
      expect(new Set(parts).size, faults.map(describeFault).join(' and ')).toBe(parts.length);
    }
  });

  it('go on with another deck', () => {
    const rounds = deal(5, 3 * roundsPerDeck);
    expect(rounds.slice(roundsPerDeck, 2 * roundsPerDeck)).not.toEqual(rounds.slice(0, roundsPerDeck));
  });

  it('can be of one kind only', () => {
    const dealer = new Dealer(topology, new SeededRandom(1), 'clock');
    const kinds = Array.from({ length: 30 }, () => dealer.next().map(({ kind }) => kind));
    expect(new Set(kinds.flat())).toEqual(new Set(['clock']));
    expect(kinds.every((each) => each.length === 1)).toBe(true);
  });
});

describe('numbers from a seed', () => {
  it('are spread evenly and stay within their bounds', () => {
    const random = new SeededRandom(42);
    const drawn = Array.from({ length: 6_000 }, () => random.integer(1, 6));
    for (const face of [1, 2, 3, 4, 5, 6]) {
      const share = drawn.filter((each) => each === face).length / drawn.length;
      expect(Math.abs(share - 1 / 6)).toBeLessThan(0.03);
    }
  });

  it('of one branch do not depend on what another has drawn', () => {
    const one = new SeededRandom(42);
    one.next();
    expect(one.branch('machines').next()).toBe(new SeededRandom(42).branch('machines').next());
    expect(one.branch('machines').next()).not.toBe(one.branch('faults').next());
  });
});
