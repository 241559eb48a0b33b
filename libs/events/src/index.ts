export type { AddressedEvent, CloudEvent } from './cloud-event.ts';
export { type EventBus, type EventListener, InProcessBus } from './event-bus.ts';
