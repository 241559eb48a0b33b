import {
  type Application,
  type ApplicationId,
  type Catalogue,
  formatCatalogueProblem,
  MusterError,
  type ProductGroup,
  type ProductGroupId,
  parseCatalogue,
} from '@muster/product-groups';
import { verifyCatalogue } from '@muster/trust';
import type { CatalogueRow } from './rows.ts';
import { readCatalogueStatement } from './statements.ts';
import type { Store } from './store.ts';
import type { VendorRoots } from './vendor-root.ts';

/** The catalogue in force, with what it was signed as. */
export interface CatalogueInForce {
  readonly row: CatalogueRow;
  readonly catalogue: Catalogue;
}

/** A product group and the application that it belongs to. */
export interface FoundGroup {
  readonly application: Application;
  readonly group: ProductGroup;
}

/** Reads the catalogue in force, anew whenever somebody has signed another one. */
export class Catalogues {
  readonly #store: Store;
  readonly #roots: VendorRoots;
  #last: CatalogueInForce | undefined;

  constructor(store: Store, roots: VendorRoots) {
    this.#store = store;
    this.#roots = roots;
  }

  /** @throws MusterError `CATALOGUE_NOT_FOUND` while none was signed. */
  async require(): Promise<CatalogueInForce> {
    const last = this.#last;
    const [row] = await this.#store.query<CatalogueRow>(readCatalogueStatement, [last?.row.id ?? 0]);
    if (row === undefined) {
      throw new MusterError({
        code: 'CATALOGUE_NOT_FOUND',
        message: 'The vendor has signed no catalogue yet.',
        remedy: "Sign the vendor's catalogue first.",
      });
    }
    if (last?.row.id === row.id) return last;
    const { trusted } = await this.#roots.require();
    const { text } = await verifyCatalogue(row.signed_catalogue, trusted);
    this.#last = { row, catalogue: catalogueOf(text) };
    return this.#last;
  }
}

/** Reads the text of a catalogue. @throws MusterError `CATALOGUE_INVALID` with the place of the first problem. */
export function catalogueOf(text: string): Catalogue {
  const parsed = parseCatalogue(text, 'catalogue');
  if (parsed.ok) return parsed.catalogue;
  const [first] = parsed.problems;
  throw new MusterError({
    code: 'CATALOGUE_INVALID',
    message: `The catalogue breaks a rule: ${first === undefined ? 'unknown' : formatCatalogueProblem(first)}.`,
    remedy: 'Run `muster catalogue check` on it for every problem and its place.',
  });
}

/** The group of a catalogue by its ids; undefined when there is none. */
export function findGroup(catalogue: Catalogue, application: string, productGroup: string): FoundGroup | undefined {
  const found = catalogue.applications.get(application as ApplicationId);
  const group = found?.groups.get(productGroup as ProductGroupId);
  return found === undefined || group === undefined ? undefined : { application: found, group };
}
