import {
  type Application,
  type Catalogue,
  countCap,
  editionsServedBy,
  formatCatalogueProblem,
  groupsServedBy,
} from '@muster/product-groups';
import { CatalogueInvalidError, readCatalogue } from './catalogue-source.ts';
import { colour, print, printJson, say } from './output.ts';
import { table } from './table.ts';

/** Prints whether a catalogue is valid, or each of its problems. Returns which. */
export function checkCatalogue(source: string, json: boolean): boolean {
  try {
    const { catalogue } = readCatalogue(source);
    if (json) printJson({ valid: true, catalogue: catalogue.id, version: catalogue.version, problems: [] });
    else print(`${source}: catalogue ${catalogue.id} version ${catalogue.version} is valid.`);
    return true;
  } catch (error) {
    if (!(error instanceof CatalogueInvalidError)) throw error;
    if (json) printJson({ valid: false, problems: error.problems });
    else for (const problem of error.problems) say(formatCatalogueProblem(problem));
    return false;
  }
}

/** Prints what a catalogue says. */
export function showCatalogue(source: string, format: { readonly json: boolean; readonly yaml: boolean }): void {
  const { catalogue, text } = readCatalogue(source);
  if (format.yaml) process.stdout.write(text);
  else if (format.json) printJson(toDocument(catalogue));
  else for (const line of describe(catalogue)) print(line);
}

function toDocument(catalogue: Catalogue): object {
  return {
    catalogue: catalogue.id,
    version: catalogue.version,
    title: catalogue.title,
    hostPlatforms: [...catalogue.hostPlatforms.values()],
    applications: [...catalogue.applications.values()].map((application) => ({
      ...application,
      groups: [...application.groups.values()].map((group) => ({
        ...group,
        serves: editionsServedBy(application, group.id),
      })),
      editions: [...application.editions.values()],
    })),
  };
}

function* describe(catalogue: Catalogue): Iterable<string> {
  yield `${colour('bold', catalogue.title)} (${catalogue.id} version ${catalogue.version})`;
  for (const application of catalogue.applications.values()) yield* describeApplication(application);
}

function* describeApplication(application: Application): Iterable<string> {
  const { renewalIntervalMinutes, activationIntervalMinutes } = application;
  yield `\nApplication ${colour('bold', application.id)}: ${application.name}`;
  yield `  virtual machines count: ${application.countVirtualMachines ? 'yes' : 'no'}; the count is reported up to ${countCap(application)}`;
  yield `  validity ${application.validityDays} days; renewal interval ${duration(renewalIntervalMinutes)}; activation interval ${duration(activationIntervalMinutes)}`;
  yield `  grace after the validity ${application.graceDays} days; a CMID counts for ${application.countRetentionDays} days; clock skew up to ${duration(application.clockSkewMinutes)}\n`;
  yield table(
    ['group', 'key', 'serves', 'may be hosted on'],
    [...application.groups.values()].map((group) => [
      group.id,
      group.key,
      groupsServedBy(application, group.id).join('\n'),
      group.hostPlatforms.join('\n'),
    ]),
  );
  yield '';
  yield table(
    ['edition', 'group', 'threshold', 'initial grace'],
    [...application.editions.values()].map((edition) => [
      edition.id,
      edition.group,
      String(edition.threshold),
      `${edition.initialGraceDays} days`,
    ]),
  );
}

function duration(minutes: number): string {
  const [number, unit] =
    minutes % 1440 === 0 ? [minutes / 1440, 'day'] : minutes % 60 === 0 ? [minutes / 60, 'hour'] : [minutes, 'minute'];
  return `${number} ${unit}${number === 1 ? '' : 's'}`;
}
