export { createPolicyAdministration } from './administration.ts';
export { hostTable, policyTables } from './export.ts';
export { clearPolicy, openCarriedHost, policyContents } from './import.ts';
export { policyMigrations } from './migrations.ts';
export type { InstalledKey, PolicyState } from './policy-state.ts';
export { type LicensingPolicyParts, LicensingPolicyService } from './service.ts';
