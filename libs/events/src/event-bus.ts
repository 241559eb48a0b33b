import type { AddressedEvent } from './cloud-event.ts';

/** Where a service's events go. */
export interface EventBus {
  /** Publishes in order. When the promise is fulfilled, the bus has all of them. */
  publish(events: readonly AddressedEvent[]): Promise<void>;
}

/** Gets events in the order of their publication. */
export type EventListener = (event: AddressedEvent) => void;

/** The bus of a site that runs in one process (DESIGN 4.2). */
export class InProcessBus implements EventBus {
  readonly #listeners = new Set<EventListener>();

  async publish(events: readonly AddressedEvent[]): Promise<void> {
    for (const event of events) for (const listener of this.#listeners) listener(event);
  }

  /** @returns what ends the subscription. */
  subscribe(listener: EventListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
