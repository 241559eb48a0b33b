import { builtInCatalogues, type Catalogue, parseCatalogue } from '@muster/product-groups';

/** The catalogue that the stack installs: `windows-2008`. */
export function stackCatalogue(): Catalogue {
  const parsed = parseCatalogue(builtInCatalogues.get('windows-2008') ?? '', 'windows-2008');
  if (!parsed.ok) throw new Error('the built-in catalogue cannot be read');
  return parsed.catalogue;
}
