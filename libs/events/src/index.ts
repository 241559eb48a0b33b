export { type AddressedEvent, type CloudEvent, logPositionOf, toSequence } from './cloud-event.ts';
export {
  type EventBus,
  type EventListener,
  type EventStream,
  InProcessBus,
  type LoggedEvent,
  PublishInterrupted,
  type StreamPlace,
  type StreamState,
} from './event-bus.ts';
export { fromMessage, maximumEventBytes, type ReceivedMessage } from './event-message.ts';
export {
  announcementSubject,
  type GatewayAnnouncement,
  gatewayAnnouncements,
  parseAnnouncement,
} from './gateway-announcement.ts';
export { type BusHealth, connectNatsBus, type NatsBus, type NatsBusOptions } from './nats-bus.ts';
export type { BusStatus, NatsConnectionOptions } from './nats-connection.ts';
export type { ReadOptions, StreamedEvent } from './read-stream.ts';
export { defaultStreamOptions, type StreamOptions, streamOptions, streamSubjects } from './stream-configuration.ts';
