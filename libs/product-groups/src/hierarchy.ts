import type { Application, Catalogue, ProductGroup } from './catalogue.ts';
import type { EditionId, HostPlatformId, ProductGroupId } from './identifiers.ts';

/**
 * The groups that a KMS key of one group serves: its own first, then every group below it, directly or through others,
 * in the order of the catalogue (DESIGN 2.1). A group that the application does not have serves nothing.
 */
export function groupsServedBy(application: Application, groupId: ProductGroupId): readonly ProductGroupId[] {
  if (!application.groups.has(groupId)) return [];
  const served = new Set([groupId]);
  // A set visits what is added while it is walked, so this reaches everything below.
  for (const id of served) {
    for (const below of application.groups.get(id)?.includes ?? []) served.add(below);
  }
  served.delete(groupId);
  return [groupId, ...[...application.groups.keys()].filter((id) => served.has(id))];
}

/** The editions that a KMS key of the group activates, in the order of the catalogue (DESIGN 2.1). */
export function editionsServedBy(application: Application, groupId: ProductGroupId): readonly EditionId[] {
  const served = new Set(groupsServedBy(application, groupId));
  return [...application.editions.values()].filter((edition) => served.has(edition.group)).map((edition) => edition.id);
}

/** Whether a KMS key of the group may be installed on a host of the platform (DESIGN 2.1). */
export function mayHost(application: Application, groupId: ProductGroupId, platform: HostPlatformId): boolean {
  return application.groups.get(groupId)?.hostPlatforms.includes(platform) ?? false;
}

/** A product group together with the application that it belongs to. */
export interface GroupOfApplication {
  readonly application: Application;
  readonly group: ProductGroup;
}

/** The group whose keys are of this kind, such as `KMS_C`; a kind belongs to one group of the whole catalogue. */
export function findGroupByKey(catalogue: Catalogue, key: string): GroupOfApplication | undefined {
  return allGroups(catalogue).find(({ group }) => group.key === key);
}

/** All kinds of keys of the catalogue, in its order. */
export function keyKinds(catalogue: Catalogue): readonly string[] {
  return allGroups(catalogue).map(({ group }) => group.key);
}

/**
 * The group that serves the most editions, the first in the catalogue of several that do.
 *
 * @throws TypeError for an application without groups, which no parsed catalogue has.
 */
export function highestGroup(application: Application): ProductGroup {
  const reach = (group: ProductGroup) => editionsServedBy(application, group.id).length;
  return [...application.groups.values()].reduce((best, group) => (reach(group) > reach(best) ? group : best));
}

function allGroups(catalogue: Catalogue): readonly GroupOfApplication[] {
  return [...catalogue.applications.values()].flatMap((application) =>
    [...application.groups.values()].map((group) => ({ application, group })),
  );
}
