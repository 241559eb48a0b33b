import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import {
  builtInCatalogues,
  type Catalogue,
  type CatalogueProblem,
  formatCatalogueProblem,
  MusterError,
  parseCatalogue,
} from '@muster/product-groups';

/** A catalogue and the text that it was read from. */
export interface CatalogueSource {
  readonly text: string;
  readonly catalogue: Catalogue;
}

/** Why a catalogue cannot be used: every problem with its place. */
export class CatalogueInvalidError extends MusterError {
  readonly problems: readonly CatalogueProblem[];

  constructor(source: string, problems: readonly CatalogueProblem[]) {
    const [first] = problems;
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
    super({
      code: 'CATALOGUE_INVALID',
      message: `${first === undefined ? source : formatCatalogueProblem(first)}${more}.`,
      remedy: `Correct it; \`muster catalogue check ${source}\` lists every problem.`,
    });
    this.problems = problems;
  }
}

/**
 * Reads a catalogue: one that is built in, by its name, or a file.
 *
 * @throws MusterError `CATALOGUE_NOT_FOUND` or `CATALOGUE_INVALID`.
 */
export function readCatalogue(nameOrFile: string): CatalogueSource {
  const text = builtInCatalogues.get(nameOrFile) ?? readFile(nameOrFile);
  const parsed = parseCatalogue(text, builtInCatalogues.has(nameOrFile) ? nameOrFile : basename(nameOrFile));
  if (!parsed.ok) throw new CatalogueInvalidError(nameOrFile, parsed.problems);
  return { text, catalogue: parsed.catalogue };
}

function readFile(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new MusterError({
      code: 'CATALOGUE_NOT_FOUND',
      message: `There is no built-in catalogue ${path}, and no file of that name can be read: ${(error as Error).message}.`,
      remedy: `Give the path of a file, or one of: ${[...builtInCatalogues.keys()].join(', ')}.`,
      cause: error,
    });
  }
}
