import type { Server, UntypedServiceImplementation } from '@grpc/grpc-js';

type Call = { end(): void; once(event: 'close' | 'cancelled', listener: () => void): void };
type Handler = (call: Call, respond?: unknown) => void;

/** A server as libraries see it that add services of their own to it. */
export interface SideServices {
  readonly server: Server;
  /** Ends the streams that are open. */
  end(): void;
}

/**
 * What libraries add to a server (health, reflection) has streams that last until the caller ends them. A drain ends
 * them itself: otherwise a single watcher of the health would hold it up until its time is over.
 */
export function sideServicesOf(server: Server): SideServices {
  const open = new Set<Call>();
  const addService: Server['addService'] = (definition, implementation) => {
    const tracked: Record<string, Handler> = {};
    for (const [name, handler] of Object.entries(implementation)) {
      tracked[name] = (call, respond) => {
        // A call with one answer has a function to give it to.
        if (respond === undefined) {
          open.add(call);
          for (const end of ['close', 'cancelled'] as const) call.once(end, () => open.delete(call));
        }
        (handler as unknown as Handler)(call, respond);
      };
    }
    server.addService(definition, tracked as unknown as UntypedServiceImplementation);
  };
  return {
    // Of the server they use this method alone.
    server: { addService } as Server,
    end() {
      for (const call of open) call.end();
    },
  };
}
