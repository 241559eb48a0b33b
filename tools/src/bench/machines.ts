import { randomBytes } from 'node:crypto';

const prefixBytes = 8;

/** The simulated machines: they are numbered, and the CMID is a random prefix with the number. */
export class Machines {
  readonly #prefix = randomBytes(prefixBytes);
  #made = 0;
  #renewed = 0;

  /** Writes the CMID of a machine that has never asked. */
  writeNew(cmid: Buffer): void {
    this.#write(cmid, this.#made);
    this.#made += 1;
  }

  /** Writes the CMID of the machine that has not asked for longest. */
  writeKnown(cmid: Buffer): void {
    this.#write(cmid, this.#renewed % this.#made);
    this.#renewed += 1;
  }

  #write(cmid: Buffer, machine: number): void {
    cmid.set(this.#prefix);
    cmid.writeBigUInt64BE(BigInt(machine), prefixBytes);
  }
}
