import { readFileSync } from 'node:fs';
import { MusterError } from '@muster/product-groups';
import { headerOf, type LineFormat, type NamedInstallation, readInstallation, readLines, textOf } from './mak-lines.ts';
import { writeWholeFile } from './whole-file.ts';

/** An installation that waits for its confirmation. */
export interface CollectedInstallation extends NamedInstallation {
  /** Absent when it is withheld. */
  readonly machineName?: string;
  /** ISO 8601. */
  readonly collectedAt: string;
}

/** The file that is carried to a machine with a network. It holds nothing secret but, perhaps, names of machines. */
export const installationsFormat: LineFormat<CollectedInstallation> = {
  name: 'muster-mak-installations',
  read(value) {
    const installation = readInstallation(value);
    if (typeof installation === 'string') return installation;
    const { machineName, collectedAt } = value;
    if (typeof collectedAt !== 'string' || Number.isNaN(Date.parse(collectedAt))) return 'its collectedAt is no time';
    if (machineName === undefined) return { ...installation, collectedAt };
    // Names are shown to people.
    if (typeof machineName !== 'string' || !/^[^\p{C}\p{Zl}\p{Zp}]{1,255}$/u.test(machineName)) {
      return 'its machineName is not 1 to 255 printable characters';
    }
    return { ...installation, machineName, collectedAt };
  },
};

/** What a collection has come to. */
export interface Collected {
  readonly installations: readonly CollectedInstallation[];
  readonly added: number;
  /** That were there already, with the same installation id. */
  readonly known: number;
  /** Of those, the ones that another machine name stands with: clones, which share an activation. */
  readonly clones: number;
}

/**
 * Adds installations to those that are there, each installation id once; the first one that named it stays.
 *
 * @param withNames otherwise no machine name is left, also of those that are there.
 */
export function collectInstallations(
  present: readonly CollectedInstallation[],
  more: readonly CollectedInstallation[],
  withNames: boolean,
): Collected {
  const byId = new Map(present.map((each) => [each.installationId, each]));
  let [added, clones] = [0, 0];
  for (const each of more) {
    const known = byId.get(each.installationId);
    if (known === undefined) {
      byId.set(each.installationId, each);
      added += 1;
    } else if (known.machineName !== each.machineName) clones += 1;
  }
  const installations = [...byId.values()];
  return {
    installations: withNames ? installations : installations.map(withoutName),
    added,
    known: more.length - added,
    clones: withNames ? clones : 0,
  };
}

/** Reads a file of installations. @throws MusterError `INPUT_INVALID`, `DOCUMENT_INVALID`. */
export function readInstallations(file: string): readonly CollectedInstallation[] {
  return readLines(installationsFormat, readWhole(file), file);
}

/** The text of a file of installations. */
export function installationsText(installations: readonly CollectedInstallation[]): string {
  return headerOf(installationsFormat) + textOf(installations);
}

/** Writes a file of installations, whole or not at all. @throws MusterError `OUTPUT_UNWRITABLE`. */
export function writeInstallations(file: string, installations: readonly CollectedInstallation[]): void {
  writeWholeFile(file, installationsText(installations));
}

/** The text of a file. @throws MusterError `INPUT_INVALID` when it cannot be read. */
export function readWhole(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new MusterError({
      code: 'INPUT_INVALID',
      message: `${file} cannot be read: ${(error as Error).message}.`,
      remedy: 'Name a file that is there and that this user may read.',
      cause: error,
    });
  }
}

function withoutName({ machineName: _, ...rest }: CollectedInstallation): CollectedInstallation {
  return rest;
}
