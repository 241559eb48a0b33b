import { randomFillSync } from 'node:crypto';
import { createHistogram } from 'node:perf_hooks';
import type { Frame } from '@muster/wire-codec';
import { Lane, type Slot } from './lane.ts';
import type { Machines } from './machines.ts';
import type { LoadOrder, LoadResult } from './messages.ts';
import { ReplySamples, readReply } from './replies.ts';
import { nonceOfRequest } from './request-template.ts';

/** Longest wait for connections before a round, and for the last answers after it. */
const patienceMs = 10_000;
const checkMs = 5;

/** One round of load: opens the connections, asks for so many seconds, waits for the last answers. */
export class LoadRound {
  readonly #order: LoadOrder;
  readonly #machines: Machines;
  readonly #lanes: readonly Lane[];
  // An HdrHistogram of microseconds, three significant figures.
  readonly #latencies = createHistogram({ lowest: 1, highest: 60_000_000, figures: 3 });
  readonly #errors = new Map<string, number>();
  readonly #samples = new ReplySamples();
  readonly #firstBytes = new Mean();
  readonly #laterBytes = new Mean();
  #connecting = 0;
  #waiting = 0;
  #answers = 0;
  #asked = 0;
  #endMs = 0;
  #closing = false;

  constructor(order: LoadOrder, machines: Machines) {
    this.#order = order;
    this.#machines = machines;
    const { connections, inFlight } = order.shape;
    const events = {
      frame: (lane: Lane, frame: Frame, nowMs: number) => this.#takeReply(lane, frame, nowMs),
      failed: (lane: Lane, reason: string) => this.#failLane(lane, reason),
      closed: (lane: Lane) => this.#laneClosed(lane),
    };
    this.#lanes = Array.from({ length: connections }, () => new Lane(order.port, inFlight, events));
  }

  async run(): Promise<LoadResult> {
    const { seconds, shape } = this.#order;
    if (shape.keepsConnections) await this.#connectAll();
    const processorAtStart = process.cpuUsage();
    const startMs = performance.now();
    this.#endMs = startMs + seconds * 1_000;
    for (const lane of this.#lanes) {
      if (!shape.keepsConnections) lane.open();
      for (const [index, slot] of lane.slots.entries()) this.#ask(lane, slot, index);
    }
    await until(() => performance.now() >= this.#endMs, seconds * 1_000 + patienceMs);
    const { user, system } = process.cpuUsage(processorAtStart);
    const busyMs = (user + system) / 1_000;
    const tookMs = performance.now() - startMs;
    await until(() => this.#waiting === 0, patienceMs);
    if (this.#waiting > 0) this.#fail(`no answer within ${patienceMs / 1_000} seconds`, this.#waiting);
    this.#closing = true;
    for (const lane of this.#lanes) lane.destroy();
    return await this.#result(busyMs / tookMs);
  }

  async #result(generatorBusy: number): Promise<LoadResult> {
    const { subject, vendorKeyJwk, seconds } = this.#order;
    const { verified, reasons } = subject === 'echo' ? noneVerified : await this.#samples.verify(vendorKeyJwk);
    for (const reason of reasons) this.#fail(reason);
    return {
      answersPerSecond: this.#answers / seconds,
      p50Ms: this.#latencies.percentile(50) / 1_000,
      p99Ms: this.#latencies.percentile(99) / 1_000,
      verified,
      errors: Object.fromEntries(this.#errors),
      generatorBusy,
      replyBytes: { first: this.#firstBytes.value(), later: this.#laterBytes.value() || this.#firstBytes.value() },
    };
  }

  async #connectAll(): Promise<void> {
    this.#connecting = this.#lanes.length;
    for (const lane of this.#lanes) {
      lane.open(() => {
        this.#connecting -= 1;
      });
    }
    await until(() => this.#connecting === 0 || this.#errors.size > 0, patienceMs);
    if (this.#connecting > 0) throw new Error(`no connection within ${patienceMs / 1_000} seconds`);
  }

  #ask(lane: Lane, slot: Slot, index: number): void {
    const { request } = slot;
    // Unique is enough here: the slot, the number of the request, and bytes that tell one round from another.
    if (slot.sentAtMs === 0) randomFillSync(request.nonce);
    request.nonce.writeUInt32BE(index, 0);
    request.nonce.writeUInt32BE(this.#asked, 4);
    this.#asked += 1;
    if (this.#order.subject === 'first') this.#machines.writeNew(request.cmid);
    if (this.#order.subject === 'renewal') this.#machines.writeKnown(request.cmid);
    request.setTime(Date.now());
    slot.waiting = true;
    this.#waiting += 1;
    slot.sentAtMs = performance.now();
    lane.send(slot);
  }

  #takeReply(lane: Lane, frame: Frame, nowMs: number): void {
    const { subject, shape } = this.#order;
    const read = subject === 'echo' ? echoed(frame) : readReply(frame);
    if (!read.ok) {
      this.#fail(read.reason);
      lane.destroy();
      return;
    }
    const index = Buffer.from(read.nonce.buffer, read.nonce.byteOffset).readUInt32BE(0);
    const slot = lane.slots[index];
    if (slot === undefined || !slot.waiting || slot.request.nonce.compare(read.nonce) !== 0) {
      this.#fail('an answer to no request');
      lane.destroy();
      return;
    }
    slot.waiting = false;
    this.#waiting -= 1;
    this.#latencies.record(Math.max(1, Math.round((nowMs - slot.sentAtMs) * 1_000)));
    if (nowMs <= this.#endMs) this.#answers += 1;
    if (subject !== 'echo') this.#samples.offer(lane, slot.request, frame.payload, shape.keepsConnections);
    (lane.replies === 0 ? this.#firstBytes : this.#laterBytes).add(frame.payload.length);
    lane.replies += 1;
    if (!shape.keepsConnections) lane.close();
    else if (performance.now() < this.#endMs) this.#ask(lane, slot, index);
  }

  #laneClosed(lane: Lane): void {
    if (this.#closing) return;
    const unanswered = lane.slots.filter((slot) => slot.waiting).length;
    if (unanswered > 0 || this.#order.shape.keepsConnections) {
      this.#failLane(lane, 'the connection was closed');
      return;
    }
    const [slot] = lane.slots;
    if (slot === undefined || performance.now() >= this.#endMs) return;
    lane.open();
    this.#ask(lane, slot, 0);
  }

  #failLane(lane: Lane, reason: string): void {
    this.#fail(reason);
    for (const slot of lane.slots.filter((each) => each.waiting)) {
      slot.waiting = false;
      this.#waiting -= 1;
    }
  }

  #fail(reason: string, times = 1): void {
    this.#errors.set(reason, (this.#errors.get(reason) ?? 0) + times);
  }
}

const noneVerified = { verified: 0, reasons: [] };

function echoed({ payload }: Frame) {
  return { ok: true, nonce: nonceOfRequest(payload) } as const;
}

/** Waits until it is so, or until the time is over. */
async function until(isSo: () => boolean, longestMs: number): Promise<void> {
  const startMs = performance.now();
  while (!isSo() && performance.now() - startMs < longestMs) {
    await new Promise((resolve) => setTimeout(resolve, checkMs));
  }
}

class Mean {
  #sum = 0;
  #values = 0;

  add(value: number): void {
    this.#sum += value;
    this.#values += 1;
  }

  /** 0 when there were no values. */
  value(): number {
    return this.#values === 0 ? 0 : Math.round(this.#sum / this.#values);
  }
}
