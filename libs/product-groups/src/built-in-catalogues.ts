import { acmeSuite } from './catalogues/acme-suite.ts';
import { windows2008 } from './catalogues/windows-2008.ts';

/** The catalogues that come with Muster, as YAML text by name (DESIGN 2.1), to be read with `parseCatalogue`. */
export const builtInCatalogues: ReadonlyMap<string, string> = new Map([
  ['windows-2008', windows2008],
  ['acme-suite', acmeSuite],
]);
