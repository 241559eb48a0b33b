import { createHash } from 'node:crypto';
import type { ActivationQuestion } from '@muster/client';
import type { MachineClass } from '@muster/product-groups';
import type { SeededRandom } from '../seeded-random.ts';

/** A wish to be activated: what a machine asks, and how far its clock is off. */
export interface Wish {
  readonly question: Omit<ActivationQuestion, 'clientVersion'>;
  /** Milliseconds that the machine's clock is ahead of ours. */
  readonly clockAheadMs: number;
}

/** Machines that ask again and again: more than the cap of 50 and few enough that each asks several times a second. */
const poolSize = 64;
/** Wishes from the lowest share of physical machines to the highest and back: 10 s at 150 a second. */
const wishesPerWave = 1_500;
const mostPhysical = 0.95;
const newMachineShare = 0.1;
const oddShare = 0.005;
const clockFarAheadMs = 5 * 60 * 60 * 1000;

const desktopEditions = ['vista-business', 'vista-enterprise'];
const serverEditions = [
  'web-server-2008',
  'server-2008-standard',
  'server-2008-enterprise',
  'server-2008-datacenter',
  'server-2008-itanium',
];

/**
 * A seeded fleet of the catalogue `windows-2008`, made to be hard on counting: most wishes come from a small pool, whose
 * machines are moved between hardware and hypervisor all the time, so that the count rises and falls through both
 * thresholds (5 and 25) and the cap (50) in waves, and each machine's events have an order that can be wrong. Some wishes
 * come from new virtual machines, and a few from machines that are refused or cloned.
 */
export class MachinePool {
  readonly #random: SeededRandom;
  readonly #name: string;
  #wishes = 0;
  #newMachines = 0;

  /** @param name tells the machines of one run from those of another. */
  constructor(name: string, random: SeededRandom) {
    this.#name = name;
    this.#random = random;
  }

  next(): Wish {
    const wish = this.#wishes;
    this.#wishes += 1;
    const random = this.#random;
    if (random.next() < newMachineShare) {
      this.#newMachines += 1;
      return this.#wish(poolSize + this.#newMachines, random.pick(['virtual', 'container']));
    }
    const number = random.integer(0, poolSize - 1);
    const physical = random.next() < physicalShare(wish);
    const made = this.#wish(number, physical ? 'physical' : random.pick(['virtual', 'virtual', 'container']));
    const odd = random.next();
    if (odd < oddShare) return { ...made, clockAheadMs: clockFarAheadMs };
    if (odd < 2 * oddShare) return { ...made, question: { ...made.question, edition: 'not-in-the-catalogue' } };
    if (odd < 3 * oddShare)
      return { ...made, question: { ...made.question, fingerprint: this.#hash(`clone ${number}`) } };
    return made;
  }

  #wish(number: number, machineClass: MachineClass): Wish {
    const editions = number % 3 === 0 ? serverEditions : desktopEditions;
    return {
      clockAheadMs: 0,
      question: {
        application: 'windows',
        edition: editions[number % editions.length] ?? 'vista-business',
        cmid: uuidFrom(this.#hash(`cmid ${number}`)),
        machineClass,
        machineName: `MACHINE-${number}`,
        fingerprint: this.#hash(`hardware ${number}`),
        licenceStatus: 'unlicensed',
        minutesLeft: 0,
      },
    };
  }

  #hash(text: string): Buffer {
    return createHash('sha256').update(`${this.#name}/${text}`).digest();
  }
}

/** A triangle wave from 0 to `mostPhysical` and back. */
function physicalShare(wish: number): number {
  const place = (wish % wishesPerWave) / wishesPerWave;
  return mostPhysical * (1 - Math.abs(1 - 2 * place));
}

/** A UUID of version 8 (RFC 9562) of the first bytes of a hash. */
function uuidFrom(hash: Buffer): string {
  const bytes = Buffer.from(hash.subarray(0, 16));
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
