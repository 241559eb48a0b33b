import { createHash } from 'node:crypto';
import type { ActivationQuestion } from '@muster/client';

let made = 0;

/** A UUID of version 8 that follows from a number. */
export function cmidOf(number: number): string {
  return `00000000-0000-8000-8000-${number.toString(16).padStart(12, '0')}`;
}

/** SHA-256 over a text, as clients make it over their hardware. */
export function fingerprintOf(hardware: string): Uint8Array {
  return createHash('sha256').update(hardware).digest();
}

/** A machine that no test has seen before: a physical desktop, unless something else is said. */
export function newMachine(properties: Partial<ActivationQuestion> = {}): ActivationQuestion {
  made += 1;
  return {
    application: 'windows',
    edition: 'vista-business',
    cmid: cmidOf(made),
    machineClass: 'physical',
    machineName: `MACHINE-${made}`,
    fingerprint: fingerprintOf(`hardware ${made}`),
    licenceStatus: 'unlicensed',
    minutesLeft: 0,
    clientVersion: 'acceptance/1.0',
    ...properties,
  };
}

/** Distinct physical desktops. */
export function desktops(number: number, properties: Partial<ActivationQuestion> = {}): ActivationQuestion[] {
  return Array.from({ length: number }, () => newMachine({ edition: 'vista-business', ...properties }));
}

/** Distinct physical servers. */
export function servers(number: number, properties: Partial<ActivationQuestion> = {}): ActivationQuestion[] {
  return Array.from({ length: number }, () => newMachine({ edition: 'server-2008-standard', ...properties }));
}

/** The whole numbers from one to another, both included. */
export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
