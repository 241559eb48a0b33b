import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  logVerbosity,
  Metadata,
  type MethodDefinition,
  type Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type ServiceDefinition,
  type ServiceError,
  type sendUnaryData,
  setLogVerbosity,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { type ErrorCode, MusterError } from '@muster/product-groups';

/**
 * The bridge between the generated interfaces (promises and async iterables, the same for direct calls) and gRPC
 * (DESIGN 4.2: direct calls of the same interfaces when embedded, gRPC when apart).
 *
 * A MusterError crosses with its code, message and remedy.
 */

const codeKey = 'muster-code';
const remedyKey = 'muster-remedy-bin';

/**
 * A service that was away is found again within two seconds of its return (two minutes, unless told), and one that has
 * vanished without a word is noticed within fifteen.
 */
const channelOptions = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
};

// The library would write lines of its own among the JSON logs; what fails is told by the calls.
setLogVerbosity(logVerbosity.NONE);

type Method = MethodDefinition<unknown, unknown>;
type AnyFunction = (argument: unknown) => unknown;
type MethodShape = { readonly requestStream: boolean; readonly responseStream: boolean };

/** Adds a service to a gRPC server. `implementation` is the generated interface of the same service. */
export function addToServer(server: Server, definition: ServiceDefinition, implementation: object): void {
  const handlers: UntypedServiceImplementation = {};
  for (const [name, method] of Object.entries(definition)) {
    const call = (implementation as Record<string, AnyFunction>)[name];
    if (call === undefined) throw new Error(`the service does not implement ${method.path}`);
    handlers[name] = handlerOf(method, call.bind(implementation));
  }
  server.addService(definition, handlers);
}

/** The generated interface of a service, answered by a server elsewhere. */
export function connectTo<Interface extends object>(
  definition: ServiceDefinition,
  address: string,
  credentials: ChannelCredentials,
): { readonly service: Interface; close(): void } {
  const client = new Client(address, credentials, channelOptions);
  const service: Record<string, AnyFunction> = {};
  for (const [name, method] of Object.entries(definition)) service[name] = callOf(client, method as Method);
  return { service: service as Interface, close: () => client.close() };
}

function handlerOf(
  { requestStream, responseStream }: MethodShape,
  call: AnyFunction,
): UntypedServiceImplementation[string] {
  if (!requestStream && !responseStream) {
    return (request: ServerUnaryCall<unknown, unknown>, respond: sendUnaryData<unknown>) => {
      (call(request.request) as Promise<unknown>).then(
        (value) => respond(null, value),
        (error) => respond(toStatus(error)),
      );
    };
  }
  if (responseStream) {
    return (stream: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>) => {
      // The iteration of the questions may end before they do; the stream still has to carry the answer's end.
      const argument = requestStream
        ? (stream as ServerDuplexStream<unknown, unknown>).iterator({ destroyOnReturn: false })
        : (stream as ServerWritableStream<unknown, unknown>).request;
      sendAll(call(argument) as AsyncIterable<unknown>, stream).catch((error) => {
        if (!stream.cancelled) stream.emit('error', toStatus(error));
      });
    };
  }
  throw new Error('no service of Muster streams requests and answers once');
}

/**
 * Sends values until they end or the peer is gone. A peer that is gone ends the iteration, which nothing waits for: it
 * may wait itself for a value that never comes.
 *
 * No promise may outlive a round here: racing each value against one long-lived promise keeps every value's reaction
 * for the life of the stream.
 */
async function sendAll(
  values: AsyncIterable<unknown>,
  stream: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>,
): Promise<void> {
  const iterator = values[Symbol.asyncIterator]();
  let readOn: () => void = () => undefined;
  stream.on('drain', () => readOn());
  stream.once('cancelled', () => {
    iterator.return?.().catch(() => undefined);
    readOn();
  });
  for (;;) {
    const next = await iterator.next();
    if (stream.cancelled) return;
    if (next.done) break;
    if (!stream.write(next.value)) {
      await new Promise<void>((resolve) => {
        readOn = resolve;
      });
    }
  }
  stream.end();
}

function callOf(client: Client, method: Method): AnyFunction {
  const { path, requestStream, responseStream, requestSerialize: serialize, responseDeserialize: deserialize } = method;
  if (requestStream && responseStream) {
    return (requests) => {
      const stream = client.makeBidiStreamRequest(path, serialize, deserialize);
      writeAll(requests as AsyncIterable<unknown>, stream).catch((error) => stream.destroy(error));
      return receiveAll(stream);
    };
  }
  if (responseStream) {
    return (request) => receiveAll(client.makeServerStreamRequest(path, serialize, deserialize, request));
  }
  return (request) =>
    new Promise((resolve, reject) => {
      client.makeUnaryRequest(path, serialize, deserialize, request, (error, value) => {
        if (error === null) resolve(value);
        else reject(fromStatus(error));
      });
    });
}

async function writeAll(values: AsyncIterable<unknown>, stream: ClientDuplexStream<unknown, unknown>): Promise<void> {
  for await (const value of values) {
    if (!stream.write(value)) await new Promise((resolve) => stream.once('drain', resolve));
  }
  stream.end();
}

async function* receiveAll(
  stream: ClientReadableStream<unknown> | ClientDuplexStream<unknown, unknown>,
): AsyncIterable<unknown> {
  try {
    for await (const value of stream) yield value;
  } catch (error) {
    throw fromStatus(error as ServiceError);
  } finally {
    stream.cancel();
  }
}

function toStatus(error: unknown): Partial<ServiceError> & Error {
  const metadata = new Metadata();
  if (!(error instanceof MusterError)) {
    return Object.assign(new Error('The service failed.', { cause: error }), { code: status.INTERNAL, metadata });
  }
  metadata.set(codeKey, error.code);
  metadata.set(remedyKey, Buffer.from(error.remedy));
  return Object.assign(new Error(error.message, { cause: error }), {
    code: error.code === 'UNAVAILABLE' ? status.UNAVAILABLE : status.FAILED_PRECONDITION,
    details: error.message,
    metadata,
  });
}

function fromStatus(error: ServiceError): Error {
  const code = error.metadata?.get(codeKey)[0];
  if (typeof code === 'string') {
    const remedy = error.metadata.get(remedyKey)[0]?.toString();
    return new MusterError({
      code: code as ErrorCode,
      message: error.details,
      ...(remedy === undefined ? {} : { remedy }),
      cause: error,
    });
  }
  return new MusterError({
    code: 'UNAVAILABLE',
    message: `The service did not answer: ${error.message.replace(/\.$/, '')}.`,
    cause: error,
  });
}
