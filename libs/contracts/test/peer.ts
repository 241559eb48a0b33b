import {
  Client,
  credentials,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { onTestFinished } from 'vitest';
import type { Method } from './contracts.ts';

/** What a server was asked and what it answers. */
export interface Exchange {
  asked: object[];
  answers: readonly object[];
}

/** Serves one method on loopback until the test is over. */
export async function serve(method: Method, exchange: Exchange): Promise<string> {
  const server = new Server();
  const handler = method.responseStream
    ? async (call: ServerWritableStream<object, object> | ServerDuplexStream<object, object>) => {
        if ('request' in call && !method.requestStream) exchange.asked.push(call.request);
        else for await (const question of call as ServerDuplexStream<object, object>) exchange.asked.push(question);
        for (const answer of exchange.answers) call.write(answer);
        call.end();
      }
    : ({ request }: ServerUnaryCall<object, object>, respond: sendUnaryData<object>) => {
        exchange.asked.push(request);
        respond(null, exchange.answers[0]);
      };
  server.addService({ call: method }, { call: handler } as UntypedServiceImplementation);
  onTestFinished(() => server.forceShutdown());
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return `127.0.0.1:${port}`;
}

/** A client of one method: asks and gives the answers. */
export function callerOf(method: Method, address: string): (questions: readonly object[]) => Promise<object[]> {
  const client = new Client(address, credentials.createInsecure());
  onTestFinished(() => client.close());
  const { path, requestSerialize, responseDeserialize } = method;
  const ask = (questions: readonly object[]) => {
    const stream = client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize);
    for (const each of questions) stream.write(each);
    stream.end();
    return stream;
  };
  return async (questions) => {
    const [question = {}] = questions;
    if (!method.responseStream) {
      return await new Promise<object[]>((resolve, reject) => {
        client.makeUnaryRequest(path, requestSerialize, responseDeserialize, question, (error, answer) =>
          error === null && answer !== undefined ? resolve([answer]) : reject(error),
        );
      });
    }
    const stream = method.requestStream
      ? ask(questions)
      : client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, question);
    const answers: object[] = [];
    for await (const answer of stream) answers.push(answer);
    return answers;
  };
}
