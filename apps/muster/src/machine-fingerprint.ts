import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { MusterError } from '@muster/product-groups';

/** What a machine is recognised by. */
export interface MachineFingerprint {
  /** SHA-256, 32 bytes. */
  readonly fingerprint: Uint8Array;
  /** Where it comes from, for people. */
  readonly source: string;
}

/**
 * The first that can be read is taken. The firmware's UUID stays when the machine is installed anew, and root alone may
 * read it; the id of the operating system goes with it.
 */
const sources = [
  { name: "the firmware's UUID", path: '/sys/class/dmi/id/product_uuid' },
  { name: 'the machine id of the operating system', path: '/etc/machine-id' },
] as const;

const meaningless = /^[0f-]*$/i;

/**
 * The fingerprint of this machine, as far as this program knows hardware: one identifier of it, hashed. A vendor's client
 * takes several properties of the hardware.
 *
 * @param read reads a file; throws when it cannot.
 * @throws MusterError `INPUT_INVALID` when no source can be read.
 */
export function machineFingerprint(read: (path: string) => string = readText): MachineFingerprint {
  for (const { name, path } of sources) {
    const id = readId(read, path);
    if (id === undefined) continue;
    const fingerprint = createHash('sha256').update(`muster machine\0${path}\0${id}`).digest();
    return { fingerprint, source: name };
  }
  throw new MusterError({
    code: 'INPUT_INVALID',
    message: `This machine cannot be recognised: ${sources.map(({ path }) => path).join(' and ')} cannot be read or say nothing.`,
    remedy: 'Give its fingerprint by --fingerprint, 64 hexadecimal digits.',
  });
}

/** An identifier in small letters; undefined when it cannot be read, or is one that many machines have. */
function readId(read: (path: string) => string, path: string): string | undefined {
  try {
    const id = read(path).trim().toLowerCase();
    return meaningless.test(id) ? undefined : id;
  } catch {
    return undefined;
  }
}

function readText(path: string): string {
  return readFileSync(path, 'utf8');
}
