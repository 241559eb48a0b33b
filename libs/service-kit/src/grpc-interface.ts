import {
  type ChannelCredentials,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  logVerbosity,
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
import { type MethodRule, methodRules } from '@muster/contracts/methods';
import { addressOfPeer, type CallOrigin } from './call-origin.ts';
import { type Caller, mayCall } from './caller.ts';
import { fromStatus, toStatus } from './grpc-status.ts';
import { serviceConfigOf, toTarget } from './grpc-target.ts';

/**
 * The bridge between the generated interfaces (promises and async iterables, the same for direct calls) and gRPC
 * (DESIGN 4.2: direct calls of the same interfaces when embedded, gRPC when apart).
 */

/**
 * A service that was away is found again within two seconds of its return (two minutes, unless told), and one that has
 * vanished without a word is noticed within fifteen.
 */
const channelOptions = {
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 2_000,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.max_receive_message_length': 1024 * 1024,
  // Channels of one process are not shared: each has a purpose and an end of its own.
  'grpc.use_local_subchannel_pool': 1,
};

/** Peers are known by their roles and not by host names; an IP address may not be sent as a server name (RFC 6066). */
const byRole = { 'grpc.ssl_target_name_override': 'muster' };

/** How a connection is made. */
export interface ConnectOptions {
  /** Whether the server's certificate must name the host that was called, as on the Internet; by its role otherwise. */
  readonly checkHostName?: boolean;
}

/** A call that arrives with less time than this is refused at once: its answer would come too late (DESIGN 7). */
const leastWorkMs = 100;

/** What the way back may take, of the deadline that the caller has. */
const answerMs = 20;

/** The rules of methods, by their full name. */
export type MethodRules = Readonly<Record<string, MethodRule>>;

// The library would write lines of its own among the JSON logs; what fails is told by the calls.
setLogVerbosity(logVerbosity.NONE);

type Method = MethodDefinition<unknown, unknown>;
type AnyFunction = (argument: unknown, origin?: CallOrigin) => unknown;

/**
 * Adds a service to a gRPC server. `implementation` is the generated interface of the same service; each call also gets
 * its `CallOrigin` as a second argument.
 *
 * @param caller names the caller of each call; without it the server has no certificates, and everybody may call.
 * @param rules who may call what; a method without a rule is a mistake of ours, and the service does not start.
 */
export function addToServer(
  server: Server,
  definition: ServiceDefinition,
  implementation: object,
  caller?: Caller,
  rules: MethodRules = methodRules,
): void {
  const handlers: UntypedServiceImplementation = {};
  for (const [name, method] of Object.entries(definition)) {
    const call = (implementation as Record<string, AnyFunction>)[name];
    if (call === undefined) throw new Error(`the service does not implement ${method.path}`);
    handlers[name] = handlerOf(
      method as Method,
      call.bind(implementation),
      (each) => refusalOf(each, method.path, ruleOf(rules, method.path), caller),
      (each) => ({
        role: caller?.(each.getAuthContext().sslPeerCertificate),
        address: addressOfPeer(each.getPeer()),
      }),
    );
    ruleOf(rules, method.path);
  }
  server.addService(definition, handlers);
}

/**
 * The generated interface of a service, answered by servers elsewhere.
 *
 * Calls are spread over all servers behind the address; each has the deadline of its method, and one that may be
 * repeated without harm is tried again, with jitter, while the service is away.
 *
 * @param address `host:port`, whose name may stand for several servers; or several of them with IP addresses, separated
 * by commas; or `unix:path`.
 */
export function connectTo<Interface extends object>(
  definition: ServiceDefinition,
  address: string,
  credentials: ChannelCredentials,
  rules: MethodRules = methodRules,
  { checkHostName = false }: ConnectOptions = {},
): { readonly service: Interface; close(): void } {
  const paths = Object.values(definition).map((method) => method.path);
  const client = new Client(toTarget(address), credentials, {
    ...channelOptions,
    ...(checkHostName ? {} : byRole),
    'grpc.service_config': serviceConfigOf(paths.map((path) => [path, ruleOf(rules, path)] as const)),
  });
  const service: Record<string, AnyFunction> = {};
  for (const [name, method] of Object.entries(definition)) {
    service[name] = callOf(client, method as Method, ruleOf(rules, method.path).deadlineMs);
  }
  return { service: service as Interface, close: () => client.close() };
}

function ruleOf(rules: MethodRules, path: string): MethodRule {
  const rule = rules[path];
  if (rule === undefined) throw new Error(`${path} has no rule in libs/contracts/src/methods.ts`);
  return rule;
}

type AnyCall =
  | ServerUnaryCall<unknown, unknown>
  | ServerWritableStream<unknown, unknown>
  | ServerDuplexStream<unknown, unknown>;

/** Why a call is not carried out, if it is not. */
function refusalOf(
  call: AnyCall,
  path: string,
  rule: MethodRule,
  caller: Caller | undefined,
): (Partial<ServiceError> & Error) | undefined {
  if (caller !== undefined) {
    const role = caller(call.getAuthContext().sslPeerCertificate);
    const refusal = mayCall(role, path, rule);
    if (refusal !== undefined) return toStatus(refusal);
  }
  const deadline = call.getDeadline();
  const leftMs = (deadline instanceof Date ? deadline.getTime() : deadline) - Date.now();
  if (leftMs < leastWorkMs)
    return Object.assign(new Error('too late'), {
      code: status.DEADLINE_EXCEEDED,
      details: 'The call came with too little time left.',
    });
  return undefined;
}

function handlerOf(
  { requestStream, responseStream }: Method,
  call: AnyFunction,
  refuse: (call: AnyCall) => (Partial<ServiceError> & Error) | undefined,
  originOf: (call: AnyCall) => CallOrigin,
): UntypedServiceImplementation[string] {
  if (!requestStream && !responseStream) {
    return (request: ServerUnaryCall<unknown, unknown>, respond: sendUnaryData<unknown>) => {
      const refusal = refuse(request);
      if (refusal !== undefined) {
        respond(refusal);
        return;
      }
      (call(request.request, originOf(request)) as Promise<unknown>).then(
        (value) => respond(null, value),
        (error) => respond(toStatus(error)),
      );
    };
  }
  if (responseStream) {
    return (stream: ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>) => {
      const refusal = refuse(stream);
      if (refusal !== undefined) {
        stream.emit('error', refusal);
        return;
      }
      // The iteration of the questions may end before they do; the stream still has to carry the answer's end.
      const argument = requestStream
        ? (stream as ServerDuplexStream<unknown, unknown>).iterator({ destroyOnReturn: false })
        : (stream as ServerWritableStream<unknown, unknown>).request;
      sendAll(call(argument, originOf(stream)) as AsyncIterable<unknown>, stream).catch((error) => {
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

function callOf(client: Client, method: Method, deadlineMs: number | undefined): AnyFunction {
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
      const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs - answerMs };
      client.makeUnaryRequest(path, serialize, deserialize, request, options, (error, value) => {
        if (error === null) resolve(value);
        else reject(fromStatus(error, deadlineMs));
      });
    });
}

async function writeAll(values: AsyncIterable<unknown>, stream: ClientDuplexStream<unknown, unknown>): Promise<void> {
  for await (const value of values) {
    if (!stream.write(value)) await new Promise((resolve) => stream.once('drain', resolve));
  }
  stream.end();
}

/**
 * The answers of a call as they come. A call may fail before anybody reads: that neither ends the process, as an error
 * without a listener does, nor passes for the end of the answers.
 */
function receiveAll(
  stream: ClientReadableStream<unknown> | ClientDuplexStream<unknown, unknown>,
): AsyncIterable<unknown> {
  let failure: Error | undefined;
  stream.on('error', (error) => {
    failure = error;
  });
  const read = async function* () {
    try {
      for await (const value of stream) yield value;
      if (failure !== undefined) throw failure;
    } catch (error) {
      throw fromStatus(error as Error);
    } finally {
      stream.cancel();
    }
  };
  return read();
}
