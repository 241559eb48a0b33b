import type { Application, Catalogue, Edition, HostPlatform, ProductGroup } from './catalogue.ts';
import { catalogueRanges } from './catalogue-ranges.ts';
import type { CatalogueReader, Located, Place } from './catalogue-reader.ts';
import { checkHierarchy, checkKeyKind, checkReference, checkRenewal } from './catalogue-rules.ts';
import type { ApplicationId, EditionId, HostPlatformId, ProductGroupId } from './identifiers.ts';

/** What groups and editions refer to across the catalogue. */
interface Surroundings {
  /** Undefined when the host platforms could not be read. */
  readonly hostPlatforms: ReadonlyMap<string, Place> | undefined;
  /** The path of the key of the group that has a kind of key, by the kind. */
  readonly keyOwners: Map<string, string>;
}

/** Reads the outermost value. What comes back is a catalogue only when the reader has no problems. */
export function readCatalogue(reader: CatalogueReader, root: Place): Catalogue {
  const keys = ['catalogue', 'version', 'title', 'hostPlatforms', 'applications'];
  const fields = reader.fields(root, keys) ?? new Map<string, Place>();
  const id = reader.identifier(fields.get('catalogue'));
  const version = reader.wholeNumber(fields.get('version'), catalogueRanges.version);
  const title = reader.name(fields.get('title'));
  const platforms = reader.things(fields.get('hostPlatforms'), 'host platforms');
  const surroundings: Surroundings = { hostPlatforms: platforms, keyOwners: new Map() };
  const hostPlatforms = new Map<HostPlatformId, HostPlatform>();
  for (const [key, place] of platforms ?? []) {
    const platformId = key as HostPlatformId;
    hostPlatforms.set(platformId, { id: platformId, name: reader.name(place) });
  }
  const applications = new Map<ApplicationId, Application>();
  for (const [key, place] of reader.things(fields.get('applications'), 'applications') ?? []) {
    applications.set(key as ApplicationId, readApplication(reader, key as ApplicationId, place, surroundings));
  }
  return { id, version, title, hostPlatforms, applications };
}

const applicationKeys = [
  'name',
  'countVirtualMachines',
  'validityDays',
  'renewalIntervalMinutes',
  'activationIntervalMinutes',
  'graceDays',
  'countRetentionDays',
  'clockSkewMinutes',
  'groups',
  'editions',
];

function readApplication(
  reader: CatalogueReader,
  id: ApplicationId,
  place: Place,
  surroundings: Surroundings,
): Application {
  const fields = reader.fields(place, applicationKeys) ?? new Map<string, Place>();
  const number = (key: keyof typeof catalogueRanges) => reader.wholeNumber(fields.get(key), catalogueRanges[key]);
  const validityDays = number('validityDays');
  const renewalIntervalMinutes = number('renewalIntervalMinutes');
  checkRenewal(reader, fields.get('renewalIntervalMinutes'), renewalIntervalMinutes, validityDays);
  const groupPlaces = reader.things(fields.get('groups'), 'groups');
  return {
    id,
    name: reader.name(fields.get('name')),
    countVirtualMachines: reader.yesOrNo(fields.get('countVirtualMachines')),
    validityDays,
    renewalIntervalMinutes,
    activationIntervalMinutes: number('activationIntervalMinutes'),
    graceDays: number('graceDays'),
    countRetentionDays: number('countRetentionDays'),
    clockSkewMinutes: number('clockSkewMinutes'),
    groups: readGroups(reader, groupPlaces, surroundings),
    editions: readEditions(reader, fields.get('editions'), groupPlaces),
  };
}

function readGroups(
  reader: CatalogueReader,
  places: ReadonlyMap<string, Place> | undefined,
  surroundings: Surroundings,
): ReadonlyMap<ProductGroupId, ProductGroup> {
  const groups = new Map<ProductGroupId, ProductGroup>();
  const includesOfGroups = new Map<string, readonly Located<string>[]>();
  for (const [key, place] of places ?? []) {
    const id = key as ProductGroupId;
    const fields = reader.fields(place, ['name', 'key', 'hostPlatforms'], ['includes']) ?? new Map<string, Place>();
    const includes = reader.identifiers(fields.get('includes')) ?? [];
    for (const included of includes) checkReference(reader, included, 'group', places);
    includesOfGroups.set(key, includes);
    groups.set(id, {
      id,
      name: reader.name(fields.get('name')),
      key: readKeyKind(reader, fields.get('key'), surroundings),
      hostPlatforms: readHostPlatforms(reader, fields.get('hostPlatforms'), surroundings),
      includes: includes.map(({ value }) => value as ProductGroupId),
    });
  }
  checkHierarchy(reader, includesOfGroups);
  return groups;
}

function readKeyKind(reader: CatalogueReader, place: Place | undefined, { keyOwners }: Surroundings): string {
  const value = reader.text(place, /^[A-Z0-9_]{1,32}$/, '1 to 32 upper-case letters, digits and underscores');
  if (place !== undefined) checkKeyKind(reader, { value, place }, keyOwners);
  return value;
}

function readHostPlatforms(
  reader: CatalogueReader,
  place: Place | undefined,
  { hostPlatforms }: Surroundings,
): readonly HostPlatformId[] {
  const platforms = reader.identifiers(place);
  if (place !== undefined && platforms?.length === 0) {
    reader.report(place, 'the group is hosted nowhere', 'List at least one of the host platforms.');
  }
  for (const platform of platforms ?? []) checkReference(reader, platform, 'host platform', hostPlatforms);
  return (platforms ?? []).map(({ value }) => value as HostPlatformId);
}

function readEditions(
  reader: CatalogueReader,
  place: Place | undefined,
  groups: ReadonlyMap<string, Place> | undefined,
): ReadonlyMap<EditionId, Edition> {
  const editions = new Map<EditionId, Edition>();
  for (const [key, edition] of reader.things(place, 'editions') ?? []) {
    const id = key as EditionId;
    const fields =
      reader.fields(edition, ['name', 'group', 'threshold', 'initialGraceDays']) ?? new Map<string, Place>();
    const group = reader.identifier(fields.get('group'));
    const groupPlace = fields.get('group');
    if (groupPlace !== undefined) checkReference(reader, { value: group, place: groupPlace }, 'group', groups);
    editions.set(id, {
      id,
      name: reader.name(fields.get('name')),
      group: group as ProductGroupId,
      threshold: reader.wholeNumber(fields.get('threshold'), catalogueRanges.threshold),
      initialGraceDays: reader.wholeNumber(fields.get('initialGraceDays'), catalogueRanges.initialGraceDays),
    });
  }
  return editions;
}
