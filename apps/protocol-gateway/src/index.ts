export { type AddressRange, parseAddressRange } from './addresses.ts';
export { countRules } from './answer.ts';
export { CountingLink, type CountingLinkOptions, type CountingLinkState } from './counting-link.ts';
export { type GatewayParts, ProtocolGateway } from './gateway.ts';
export { defaultLimits, type GatewayLimits } from './limits.ts';
export type { MakAuthority, MakDeskState } from './mak-desk.ts';
export type { GatewayStatistics, LimitName } from './statistics.ts';
