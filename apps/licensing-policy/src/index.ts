export { policyMigrations } from './migrations.ts';
export type { InstalledKey, PolicyState } from './policy-state.ts';
export { LicensingPolicyService, type LicensingPolicyParts } from './service.ts';
