import { builtInCatalogues } from '../src/built-in-catalogues.ts';
import type { Application, Catalogue } from '../src/catalogue.ts';
import { formatCatalogueProblem } from '../src/catalogue-problem.ts';
import { applicationId } from '../src/identifiers.ts';
import { parseCatalogue } from '../src/parse-catalogue.ts';

/** For tests: the text of a built-in catalogue. */
export function builtInText(name: string): string {
  const text = builtInCatalogues.get(name);
  if (text === undefined) throw new Error(`no built-in catalogue ${name}`);
  return text;
}

/** For tests: a catalogue that is known to be valid. */
export function parsed(text: string): Catalogue {
  const result = parseCatalogue(text, 'test.yaml');
  if (result.ok) return result.catalogue;
  throw new Error(result.problems.map(formatCatalogueProblem).join('\n'));
}

/** For tests: an application of a built-in catalogue. */
export function builtInApplication(name: string, application: string): Application {
  const found = parsed(builtInText(name)).applications.get(applicationId(application));
  if (found === undefined) throw new Error(`no application ${application} in ${name}`);
  return found;
}

/** For tests: the smallest catalogue, with one line for each thing so that tests can replace lines. */
export const smallCatalogue = [
  'catalogue: small', // 1
  'version: 1', // 2
  'title: Small', // 3
  'hostPlatforms:', // 4
  '  linux: Linux', // 5
  'applications:', // 6
  '  app:', // 7
  '    name: App', // 8
  '    countVirtualMachines: false', // 9
  '    validityDays: 180', // 10
  '    renewalIntervalMinutes: 10080', // 11
  '    activationIntervalMinutes: 120', // 12
  '    graceDays: 30', // 13
  '    countRetentionDays: 30', // 14
  '    clockSkewMinutes: 240', // 15
  '    groups:', // 16
  '      low: {name: Low, key: KEY_LOW, hostPlatforms: [linux]}', // 17
  '      high: {name: High, key: KEY_HIGH, hostPlatforms: [linux], includes: [low]}', // 18
  '    editions:', // 19
  '      one:', // 20
  '        name: One', // 21
  '        group: low', // 22
  '        threshold: 5', // 23
  '        initialGraceDays: 30', // 24
].join('\n');

/** For tests: the small catalogue with the lines of these numbers (from 1) replaced; an empty string leaves one out. */
export function smallCatalogueWith(lines: Readonly<Record<number, string>>): string {
  const changed = smallCatalogue.split('\n').map((line, index) => lines[index + 1] ?? line);
  return changed.filter((line) => line !== '').join('\n');
}
