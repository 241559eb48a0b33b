import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { builtInCatalogues } from '@muster/product-groups';
import { temporaryDirectory } from './cleanup.ts';

/**
 * A catalogue file with the applications `windows-1`, `windows-2` and so on, each with the rules of the built-in
 * `windows`: one site then has many counts that start at 0.
 */
export function catalogueOfMany(applications: number): string {
  const windows = builtInCatalogues.get('windows-2008') ?? '';
  const [head = '', application = ''] = windows.split('applications:\n');
  const copies = Array.from({ length: applications }, (_, index) =>
    application
      .replace(/^ {2}windows:$/m, `  windows-${index + 1}:`)
      .replaceAll(/^( +key: \w+)$/gm, `$1_${index + 1}`),
  );
  const file = join(temporaryDirectory(), 'many.yaml');
  writeFileSync(file, `${head.replace('catalogue: windows-2008', 'catalogue: many')}applications:\n${copies.join('')}`);
  return file;
}
