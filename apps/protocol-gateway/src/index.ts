export { countRules } from './answer.ts';
export { type GatewayParts, ProtocolGateway } from './gateway.ts';
export { defaultLimits, type GatewayLimits } from './limits.ts';
export type { GatewayStatistics, LimitName } from './statistics.ts';
