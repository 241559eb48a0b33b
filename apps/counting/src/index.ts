export { type CountingAdministrationParts, createCountingAdministration } from './administration.ts';
export { maximumBatchRequests } from './count-columns.ts';
export { countingTables } from './export.ts';
export { clearCounting, countingContents, finishCountingImport } from './import.ts';
export { defaultLogRetentionMonths, LogKeeper, type LogKeeperParts } from './log-keeper.ts';
export { countingMigrations } from './migrations.ts';
export { OutboxRelay, type OutboxRelayParts } from './outbox-relay.ts';
export { type CountingParts, createCounting, type DrainableCounting } from './service.ts';
