/** What tells two machines with the same CMID apart. */
export interface MachineIdentity {
  /** Hash of the hardware fingerprint, as hex digits; empty when unknown. */
  readonly fingerprint: string;
  /** Empty when the client withheld it. */
  readonly machineName: string;
}

/**
 * Whether a CMID has been seen on two machines, so that it comes from a cloned image (DESIGN 2.2): the fingerprints
 * differ or the machine names differ. What is empty was withheld and never differs; names are compared exactly.
 */
export function isClone(known: MachineIdentity, seen: MachineIdentity): boolean {
  return differs(known.fingerprint, seen.fingerprint) || differs(known.machineName, seen.machineName);
}

function differs(known: string, seen: string): boolean {
  return known !== '' && seen !== '' && known !== seen;
}
