import type { ClockSetting } from './faked-clocks.ts';
import { type Fault, type FaultKind, touched } from './fault.ts';
import type { SeededRandom } from './seeded-random.ts';

/** What there is to hit. */
export interface Topology {
  readonly policies: readonly string[];
  readonly countings: readonly string[];
  readonly gateways: readonly string[];
  /** All links, for example `counting-1->postgresql`. */
  readonly links: readonly string[];
}

/** Rounds that one deck is dealt to. What it has more faults than that comes as second faults. */
export const roundsPerDeck = 60;

/** The last second of a signed 32-bit clock is 03:14:07 UTC of that day. */
const clockSettings: readonly ClockSetting[] = [
  { offsetSeconds: 3_600 },
  { offsetSeconds: -3_600 },
  { at: '2038-01-19 03:14:00' },
];

/**
 * The faults of 60 rounds in a seeded order. Whatever the seed: every process is killed three times and stopped twice,
 * every link fails, each kind of service has its clock set in each way, and every other kind comes several times.
 */
export function shuffledDeck(topology: Topology, random: SeededRandom): Fault[] {
  const { policies, countings, gateways } = topology;
  const processes = [...policies, ...countings, ...gateways, 'postgresql', 'nats'];
  const holdMs = (least: number, most: number) => 100 * random.integer(least / 100, most / 100);
  const links = random.shuffle(topology.links);
  const directions = ['both', 'to-target', 'to-client'] as const;
  const clockOwners = [policies, countings, gateways].filter((replicas) => replicas.length > 0);
  const faults: Fault[] = [
    ...repeated(processes, 3).map((process): Fault => ({ kind: 'kill', process })),
    ...[...repeated(['postgresql'], 3), ...repeated(['nats'], 2), ...repeated(policies, 2)].map(
      (process): Fault => ({ kind: 'down', process, holdMs: holdMs(1_500, 3_000) }),
    ),
    ...repeated(processes, 2).map((process): Fault => ({ kind: 'pause', process, holdMs: holdMs(1_000, 4_000) })),
    // Cuts and delays share the links among them, and black holes take as many again.
    ...links.map((link, index): Fault => {
      if (index % 2 === 0) return { kind: 'cut', link, holdMs: holdMs(500, 1_500) };
      return { kind: 'delay', link, milliseconds: random.integer(50, 2_000), holdMs: holdMs(1_500, 2_500) };
    }),
    ...random
      .shuffle(links)
      .slice(0, 9)
      .map((link, index): Fault => {
        const direction = directions[index % directions.length] ?? 'both';
        return { kind: 'black-hole', link, direction, holdMs: holdMs(1_000, 3_000) };
      }),
    ...clockOwners.flatMap((replicas) =>
      clockSettings.map((setting): Fault => {
        return { kind: 'clock', process: random.pick(replicas), setting, holdMs: holdMs(1_000, 2_000) };
      }),
    ),
    ...[1_500, 2_000, 2_500].map((hold): Fault => ({ kind: 'disk-full', holdMs: hold })),
    ...[1_500, 2_500].map((hold): Fault => ({ kind: 'connections', holdMs: hold })),
    { kind: 'certificates', newAuthority: false },
    { kind: 'certificates', newAuthority: false },
    { kind: 'certificates', newAuthority: true },
  ];
  return random.shuffle(faults);
}

/** Deals rounds without end, one deck after the other: to some of them two faults that hit different parts. */
export class Dealer {
  readonly #topology: Topology;
  readonly #random: SeededRandom;
  readonly #only: FaultKind | undefined;
  #deck: Fault[] = [];
  #roundsLeft = 0;

  /** @param only deals this kind alone, and then one fault to each round. */
  constructor(topology: Topology, random: SeededRandom, only?: FaultKind) {
    this.#topology = topology;
    this.#random = random;
    this.#only = only;
  }

  next(): readonly Fault[] {
    if (this.#deck.length === 0) this.#shuffle();
    const first = this.#deck.shift();
    if (first === undefined) throw new Error('there is no fault of the kind asked for');
    // Exactly as many second faults as the deck has more faults than rounds, spread over the rounds by chance.
    const surplus = this.#deck.length + 1 - this.#roundsLeft;
    const wantsSecond = this.#only === undefined && this.#random.next() * this.#roundsLeft < surplus;
    this.#roundsLeft -= 1;
    if (!wantsSecond) return [first];
    const taken = new Set(touched(first));
    const index = this.#deck.findIndex((fault) => !touched(fault).some((each) => taken.has(each)));
    return index < 0 ? [first] : [first, ...this.#deck.splice(index, 1)];
  }

  #shuffle(): void {
    const deck = shuffledDeck(this.#topology, this.#random);
    this.#deck = this.#only === undefined ? deck : deck.filter(({ kind }) => kind === this.#only);
    this.#roundsLeft = roundsPerDeck;
  }
}

function repeated<Item>(items: readonly Item[], times: number): Item[] {
  return Array.from({ length: times }, () => items).flat();
}
