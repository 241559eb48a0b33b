import { readFileSync } from 'node:fs';

/** The release of the muster command. In a bundle the file lies one level above the code too. */
export const { version: musterVersion } = JSON.parse(
  readFileSync(new URL('../package.json', import.meta.url), 'utf8'),
) as { readonly version: string };
