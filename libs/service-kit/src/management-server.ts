import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { MusterError } from '@muster/product-groups';
import type { Readiness } from './readiness.ts';

/** What the management port tells about. */
export interface ManagementAnswers {
  readonly readiness: Readiness;
  /** What the service has done since it started, for people and tools; any JSON value. */
  readonly status: () => unknown;
}

/** Probes are small and few; whoever sends more or slower is no probe. */
const requestMs = 5_000;

/**
 * Serves plain HTTP for probes, which speak no TLS (DESIGN 4.2): `/livez` says that the process answers and looks at
 * nothing else, `/readyz` looks at every dependency, `/statusz` tells what the service has done.
 *
 * @param address `host:port`.
 * @returns what closes it.
 * @throws MusterError `PORT_IN_USE` or `ADDRESS_UNUSABLE`.
 */
export async function serveManagement(address: string, answers: ManagementAnswers): Promise<() => Promise<void>> {
  const server = createServer({
    requestTimeout: requestMs,
    headersTimeout: requestMs,
    keepAliveTimeout: requestMs,
    // Node looks for slow ones twice a minute otherwise.
    connectionsCheckingInterval: 1_000,
  });
  server.maxConnections = 256;
  server.on('request', (request, response) => {
    answer(request, response, answers).catch((error: Error) => {
      respond(response, 500, { error: error.message });
    });
  });
  const separator = address.lastIndexOf(':');
  const host = address.slice(0, separator).replace(/^\[|\]$/g, '');
  await new Promise<void>((resolve, reject) => {
    // It stays: a connection that cannot be taken later, without a descriptor left, must not end the process.
    server.on('error', (error: NodeJS.ErrnoException) => reject(listenError(error, address)));
    server.listen({ host, port: Number(address.slice(separator + 1)) }, resolve);
  });
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}

async function answer(request: IncomingMessage, response: ServerResponse, answers: ManagementAnswers): Promise<void> {
  request.resume();
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    respond(response, 405, { error: 'Only GET is answered.' }, { allow: 'GET, HEAD' });
    return;
  }
  switch (request.url?.split('?', 1)[0]) {
    case '/livez':
      respond(response, 200, { alive: true });
      break;
    case '/readyz': {
      const report = await answers.readiness.report();
      respond(response, report.ready ? 200 : 503, report);
      break;
    }
    case '/statusz':
      respond(response, 200, answers.status());
      break;
    default:
      respond(response, 404, { error: 'There is /livez, /readyz and /statusz.' });
  }
}

function respond(response: ServerResponse, code: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(code, { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers });
  response.end(`${JSON.stringify(body)}\n`);
}

function listenError(error: NodeJS.ErrnoException, address: string): MusterError {
  const inUse = error.code === 'EADDRINUSE';
  return new MusterError({
    code: inUse ? 'PORT_IN_USE' : 'ADDRESS_UNUSABLE',
    message: inUse
      ? `The management port ${address} is in use by another program.`
      : `The management port ${address} cannot be served: ${error.message}.`,
    remedy: 'Choose another address with MUSTER_MANAGEMENT_LISTEN.',
    cause: error,
  });
}
