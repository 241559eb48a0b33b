import type { ApplicationId, EditionId, HostPlatformId, ProductGroupId } from './identifiers.ts';

/**
 * The only source of thresholds, intervals and rules (DESIGN 2.1). `parseCatalogue` is the only way to one, so every
 * reference in it is known to lead somewhere. Maps are in the order of the document.
 */
export interface Catalogue {
  /** Its identifier, such as `windows-2008`. */
  readonly id: string;
  /** Counted up by the vendor at every change: 1 to 1,000,000. */
  readonly version: number;
  readonly title: string;
  readonly hostPlatforms: ReadonlyMap<HostPlatformId, HostPlatform>;
  readonly applications: ReadonlyMap<ApplicationId, Application>;
}

/** A platform that a host may run on. */
export interface HostPlatform {
  readonly id: HostPlatformId;
  readonly name: string;
}

/** What machines are counted for, with the rules of its counting and time (DESIGN 2.2, 2.3). */
export interface Application {
  readonly id: ApplicationId;
  readonly name: string;
  /** Whether virtual machines and containers raise the count as physical machines do. */
  readonly countVirtualMachines: boolean;
  /** How long an activation is valid from its last renewal: 1 to 730 days. */
  readonly validityDays: number;
  /** How long an active client waits until it renews: 15 to 43,200 minutes, and less than the validity. */
  readonly renewalIntervalMinutes: number;
  /** How long a client that is not active waits until it tries again: 15 to 43,200 minutes. */
  readonly activationIntervalMinutes: number;
  /** How long a client still works as before when its validity has ended: 0 to 365 days. */
  readonly graceDays: number;
  /** How long a CMID stays in the count after its last request: 1 to 365 days. */
  readonly countRetentionDays: number;
  /** How far the clocks of client and host may differ: 1 to 1,440 minutes. */
  readonly clockSkewMinutes: number;
  readonly groups: ReadonlyMap<ProductGroupId, ProductGroup>;
  readonly editions: ReadonlyMap<EditionId, Edition>;
}

/** A place in the hierarchy of an application: a key of the group serves it and every group below it. */
export interface ProductGroup {
  readonly id: ProductGroupId;
  readonly name: string;
  /** The kind of its keys, such as `KMS_C`: upper-case letters, digits, underscores, 1 to 32; unique in a catalogue. */
  readonly key: string;
  /** Where a key of the group may be installed; at least one platform. */
  readonly hostPlatforms: readonly HostPlatformId[];
  /** The groups directly below it. What they include is served, too. */
  readonly includes: readonly ProductGroupId[];
}

/** What a client is. */
export interface Edition {
  readonly id: EditionId;
  readonly name: string;
  /** The product group that it belongs to. */
  readonly group: ProductGroupId;
  /** The count that activates it: 1 to 1,000,000. */
  readonly threshold: number;
  /** How long a client works after its installation without any activation: 0 to 365 days. */
  readonly initialGraceDays: number;
}
