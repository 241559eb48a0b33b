import type { Application } from './catalogue.ts';
import type { MachineClass } from './machine-class.ts';

/** Whether a machine of the class adds to the count of the application (DESIGN 2.2); it may be activated either way. */
export function raisesCount(application: Application, machineClass: MachineClass): boolean {
  return machineClass === 'physical' || application.countVirtualMachines;
}

/** The highest threshold among the editions of the application. */
export function highestThreshold(application: Application): number {
  let highest = 0;
  for (const { threshold } of application.editions.values()) highest = Math.max(highest, threshold);
  return highest;
}

/** The highest count that is ever reported: twice the highest threshold (DESIGN 2.2), 50 for `windows`. */
export function countCap(application: Application): number {
  return 2 * highestThreshold(application);
}

/**
 * Whether a known machine stands in the count (DESIGN 2.2).
 *
 * @param machine when it last asked, in epoch milliseconds, and whether it raises the count at all
 * @param retentionMs how long a CMID stays after its last request; a machine silent for exactly that long has left
 * @param nowMs the present, in epoch milliseconds; a last request ahead of it, after a clock was set back, counts
 */
export function isCounted(
  machine: { readonly lastRequestMs: number; readonly raisesCount: boolean },
  retentionMs: number,
  nowMs: number,
): boolean {
  return machine.raisesCount && nowMs - machine.lastRequestMs < retentionMs;
}

/** Whether the count activates an edition: the machine that makes the count reach the threshold is itself activated. */
export function isGranted(count: number, threshold: number): boolean {
  return count >= threshold;
}
