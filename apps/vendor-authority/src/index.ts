export { createVendorAdministration } from './administration.ts';
export { defaultGuessRates, type GuessRate, type GuessRates } from './guess-limits.ts';
export { mostInstallations } from './installations.ts';
export { authorityMigrations } from './migrations.ts';
export { type VendorAuthorityParts, VendorAuthorityService } from './service.ts';
