import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { ActivationConnection, AdvisedError } from '@muster/client';
import { MusterError } from '@muster/product-groups';
import type { VendorKeys } from '@muster/trust';
import type { FleetMachine } from './fleet-file.ts';

/** What became of one machine's request. */
export interface FleetResult extends FleetMachine {
  /** A result code; HOST_UNREACHABLE or UNTRUSTED_HOST when there was no answer that could be believed. */
  readonly code: string;
  /** What the host told; null when it told nothing. */
  readonly count: number | null;
  readonly threshold: number | null;
  /** End of the activation, RFC 3339; null unless granted. */
  readonly expiresAt: string | null;
  /** The id of the decision in the activation log; null when there was none. */
  readonly activationId: string | null;
  /** Why there was no signed answer; null when there was one. */
  readonly message: string | null;
}

/** Where a fleet asks, and how. */
export interface FleetRunOptions {
  readonly host: string;
  readonly port: number;
  readonly vendorKeys: VendorKeys;
  /** Requests at the same time. With 1, each row is answered before the next one asks. */
  readonly concurrency: number;
  /** Longest wait for an answer, milliseconds. */
  readonly answerMs?: number;
  readonly onResult?: (result: FleetResult, index: number) => void | Promise<void>;
  readonly signal?: AbortSignal;
}

/** A machine that is told RATE_LIMITED asks again so often at most, each time after the wait that the host advises. */
const attempts = 5;
/** Nobody has signed the advice. */
const longestRetryMs = 30_000;

/** Whether a result says no more than that the count is not high enough yet. */
export function isFine(result: FleetResult): boolean {
  return result.code === 'GRANTED' || result.code === 'COUNT_INSUFFICIENT';
}

/**
 * Sends one activation for each machine, each over a TCP connection of its own.
 *
 * @returns the results in the order of the machines; fewer when the run was aborted.
 */
export async function runFleet(
  machines: readonly FleetMachine[],
  options: FleetRunOptions,
): Promise<readonly FleetResult[]> {
  const results: FleetResult[] = [];
  let next = 0;
  const work = async () => {
    while (next < machines.length && options.signal?.aborted !== true) {
      const index = next;
      next += 1;
      const machine = machines[index];
      if (machine === undefined) return;
      const result = await activateInTime(machine, options);
      results[index] = result;
      await options.onResult?.(result, index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.concurrency, machines.length) }, work));
  return results;
}

/** A whole fleet comes from one address, where a host expects a few machines: it may have to ask more slowly. */
async function activateInTime(machine: FleetMachine, options: FleetRunOptions): Promise<FleetResult> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await activateOnce(machine, options);
    } catch (error) {
      if (!(error instanceof MusterError)) throw error;
      const retryAfterMs =
        error.code === 'RATE_LIMITED' && error instanceof AdvisedError ? error.retryAfterMs : undefined;
      if (retryAfterMs === undefined || attempt >= attempts || options.signal?.aborted === true) {
        return unanswered(machine, error);
      }
      await delay(Math.min(retryAfterMs, longestRetryMs), undefined, { signal: options.signal }).catch(() => undefined);
    }
  }
}

/** @throws MusterError when there was no answer that could be believed. */
async function activateOnce(machine: FleetMachine, options: FleetRunOptions): Promise<FleetResult> {
  let connection: ActivationConnection | undefined;
  try {
    connection = await ActivationConnection.open(options);
    const activation = await connection.activate({
      application: machine.application,
      edition: machine.edition,
      cmid: machine.cmid,
      machineClass: machine.machineClass,
      ...(machine.machineName === '' ? {} : { machineName: machine.machineName }),
      fingerprint: createHash('sha256').update(`muster fleet hardware ${machine.machineName} ${machine.cmid}`).digest(),
      licenceStatus: 'unlicensed',
      minutesLeft: 0,
      clientVersion: 'muster-fleet/0.1.0',
    });
    return {
      ...described(machine),
      code: activation.code,
      count: activation.count,
      threshold: activation.threshold,
      expiresAt: activation.expiresAtMs === 0 ? null : new Date(activation.expiresAtMs).toISOString(),
      application: machine.application,
      activationId: activation.activationId,
      message: null,
    };
  } finally {
    connection?.close();
  }
}

function unanswered(machine: FleetMachine, { code, message }: MusterError): FleetResult {
  return {
    ...described(machine),
    code,
    count: null,
    threshold: null,
    expiresAt: null,
    application: machine.application,
    activationId: null,
    message,
  };
}

/** Who asked, in the order in which `--json` prints it. */
function described({ machineName, edition, machineClass, cmid }: FleetMachine): Omit<FleetMachine, 'application'> {
  return { machineName, edition, machineClass, cmid };
}
