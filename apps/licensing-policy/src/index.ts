export { createPolicyAdministration } from './administration.ts';
export { policyMigrations } from './migrations.ts';
export type { InstalledKey, PolicyState } from './policy-state.ts';
export { type LicensingPolicyParts, LicensingPolicyService } from './service.ts';
