export { maximumBatchRequests } from './count-columns.ts';
export { countingMigrations } from './migrations.ts';
export { OutboxRelay, type OutboxRelayParts } from './outbox-relay.ts';
export { type CountingParts, createCounting } from './service.ts';
