/** Clients of a gateway in a process of their own: many that are silent, one that floods, and some that are good. */
import { connect, type Socket } from 'node:net';
import { createHistogram } from 'node:perf_hooks';
import { publicKeyFromJwk, vendorKeys } from '@muster/trust';
import {
  createChainMemory,
  FrameReader,
  FrameType,
  maximumReplyPayloadBytes,
  parseActivationReply,
  parseErrorReply,
  verifyActivationReply,
} from '@muster/wire-codec';
import { answerOrders } from './answer-orders.ts';
import { frameOf, requestOf } from './frames.ts';
import { newMachine } from './machines.ts';

/** What clients are told to do. */
export type ClientOrder =
  /** Open so many connections, at most 900 from each address, and keep them. */
  | { readonly kind: 'hold'; readonly port: number; readonly connections: number }
  /** Send as many connections and requests from one address as possible. */
  | { readonly kind: 'flood'; readonly port: number; readonly address: string; readonly seconds: number }
  /** Ask from 50 addresses, each client over a new connection, at an even pace. */
  | {
      readonly kind: 'ask';
      readonly port: number;
      readonly vendorKey: string;
      readonly seconds: number;
      readonly perSecond: number;
    };

/** What a flood has brought about. `counted` are signed answers, `withoutAdvice` RATE_LIMITED without nonce or time. */
export interface FloodResult {
  readonly connections: number;
  readonly closedConnections: number;
  readonly requests: number;
  readonly rateLimited: number;
  readonly counted: number;
  readonly withoutAdvice: number;
}

/** What good clients have seen; times are from the connection to the verified answer. */
export interface AskResult {
  readonly answers: number;
  readonly failures: Readonly<Record<string, number>>;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly mostMs: number;
}

const heldPerAddress = 900;
const wave = 250;
const held: Socket[] = [];

answerOrders(async (order: ClientOrder) => {
  switch (order.kind) {
    case 'hold':
      return hold(order.port, order.connections);
    case 'flood':
      return flood(order.port, order.address, order.seconds);
    case 'ask':
      return ask(order.port, order.vendorKey, order.seconds, order.perSecond);
  }
});

async function hold(port: number, connections: number): Promise<number> {
  for (let first = 0; first < connections; first += wave) {
    const numbers = Array.from({ length: Math.min(wave, connections - first) }, (_, index) => first + index);
    held.push(
      ...(await Promise.all(numbers.map((number) => open(port, `127.0.1.${1 + Math.floor(number / heldPerAddress)}`)))),
    );
  }
  return held.filter((socket) => !socket.destroyed && socket.readyState === 'open').length;
}

function open(port: number, localAddress: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, localAddress, noDelay: true });
    socket.once('error', reject);
    socket.once('connect', () => {
      socket.off('error', reject);
      socket.on('error', () => undefined);
      resolve(socket);
    });
  });
}

async function flood(port: number, address: string, seconds: number): Promise<FloodResult> {
  const result = {
    connections: 0,
    closedConnections: 0,
    requests: 0,
    rateLimited: 0,
    counted: 0,
    withoutAdvice: 0,
  };
  const endMs = performance.now() + seconds * 1_000;
  const sockets = new Set<Socket>();
  const goesOn = () => performance.now() < endMs;

  /** Asks 32 times at once, again and again; opens a new connection when it is closed. */
  const enter = () => {
    if (!goesOn()) return;
    const socket = connect({ host: '127.0.0.1', port, localAddress: address, noDelay: true });
    const reader = new FrameReader(maximumReplyPayloadBytes);
    result.connections += 1;
    sockets.add(socket);
    let answered = 0;
    const push = () => {
      const frames = Array.from({ length: 32 }, () => frameOf(requestOf(newMachine(), Date.now())));
      result.requests += frames.length;
      socket.write(Buffer.concat(frames));
    };
    socket.on('connect', push);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      for (const { type, payload } of reader.push(chunk).frames) {
        answered += 1;
        if (type === FrameType.activationReply) result.counted += 1;
        if (type !== FrameType.errorReply) continue;
        const parsed = parseErrorReply(payload);
        if (!parsed.ok || parsed.error.code !== 'RATE_LIMITED') continue;
        result.rateLimited += 1;
        if ((parsed.error.retryAfterMs ?? 0) < 1_000 || parsed.error.nonce === undefined) result.withoutAdvice += 1;
      }
      if (answered >= 32 && goesOn()) {
        answered -= 32;
        push();
      }
    });
    socket.on('close', () => {
      sockets.delete(socket);
      if (answered === 0) result.closedConnections += 1;
      enter();
    });
  };
  for (let n = 0; n < 64; n += 1) enter();
  // These come and go as fast as they can.
  const churn = () => {
    if (!goesOn()) return;
    const socket = connect({ host: '127.0.0.1', port, localAddress: address });
    result.connections += 1;
    socket.on('error', () => undefined);
    socket.on('connect', () => socket.end());
    socket.on('close', churn);
    socket.resume();
  };
  for (let n = 0; n < 64; n += 1) churn();
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  for (const socket of sockets) socket.destroy();
  return result;
}

async function ask(port: number, vendorKey: string, seconds: number, perSecond: number): Promise<AskResult> {
  const keys = vendorKeys(publicKeyFromJwk(vendorKey));
  const latencies = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });
  const failures = new Map<string, number>();
  let answers = 0;
  const askOnce = async (number: number) => {
    const startedMs = performance.now();
    const request = requestOf(newMachine(), Date.now());
    try {
      const socket = await open(port, `127.0.2.${1 + (number % 50)}`);
      try {
        const reply = await firstReply(socket, frameOf(request));
        await verifyActivationReply({
          reply,
          request,
          vendorKeys: keys,
          nowMs: Date.now(),
          memory: createChainMemory(),
        });
      } finally {
        socket.destroy();
      }
      answers += 1;
      latencies.record(Math.max(1, Math.round((performance.now() - startedMs) * 1_000)));
    } catch (error) {
      const { message } = error as Error;
      failures.set(message, (failures.get(message) ?? 0) + 1);
    }
  };
  const asked: Promise<void>[] = [];
  const total = seconds * perSecond;
  const startMs = performance.now();
  while (asked.length < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startMs) / 1_000) * perSecond) + 1);
    while (asked.length < due) asked.push(askOnce(asked.length));
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Promise.all(asked);
  return {
    answers,
    failures: Object.fromEntries(failures),
    p50Ms: latencies.percentile(50) / 1_000,
    p99Ms: latencies.percentile(99) / 1_000,
    mostMs: latencies.max / 1_000,
  };
}

function firstReply(socket: Socket, frame: Uint8Array) {
  return new Promise<Parameters<typeof verifyActivationReply>[0]['reply']>((resolve, reject) => {
    const reader = new FrameReader(maximumReplyPayloadBytes);
    const timer = setTimeout(() => reject(new Error('no answer within 10 seconds')), 10_000);
    socket.on('data', (chunk) => {
      const [answer] = reader.push(chunk).frames;
      if (answer === undefined) return;
      clearTimeout(timer);
      const parsed = parseActivationReply(answer.payload);
      if (answer.type === FrameType.activationReply && parsed.ok) resolve(parsed.reply);
      else reject(new Error(errorOf(answer.payload)));
    });
    socket.on('close', () => {
      clearTimeout(timer);
      reject(new Error('closed before the answer'));
    });
    socket.write(frame);
  });
}

function errorOf(payload: Uint8Array): string {
  const parsed = parseErrorReply(payload);
  return parsed.ok ? parsed.error.code : 'no reply of ours';
}
