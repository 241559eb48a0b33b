import { type Fault, touched } from './fault.ts';
import { type Fare, percentile } from './observations.ts';

/** What is promised while a fault is in force, beyond what holds always. */
export type Promised =
  /** PostgreSQL is down or frozen: every client is told so within a second at p99, and all works 5 s after its return. */
  | 'told-within-a-second'
  /** Policy or NATS is away, or certificates are exchanged: every attempt gets its answer. */
  | 'all-answered';

/** The longest that a client waits for `UNAVAILABLE` at p99, milliseconds (REFERENCES R11). */
const longestP99Ms = 1_000;
/** The longest from the return of what was away until everything works, milliseconds. */
const longestRecoveryMs = 5_000;
/** A p99 of fewer attempts says nothing. */
const leastAttempts = 100;

/** How the clients fared during one kind of fault, over all its rounds. */
export interface KindMeasure {
  readonly kind: string;
  readonly promised: Promised | undefined;
  readonly fares: readonly Fare[];
  /** From the end of each fault until all worked, milliseconds. */
  readonly recoveriesMs: readonly number[];
}

/** Under which name a fault is measured: its kind, and the part that it takes away where a promise speaks of it. */
export function measuredKind(fault: Fault): { readonly kind: string; readonly promised: Promised | undefined } {
  const whole = fault.kind === 'kill' || fault.kind === 'down' || fault.kind === 'pause';
  if (whole) {
    const part = fault.process.replace(/-\d+$/, '');
    return { kind: `${fault.kind} ${part}`, promised: promiseAbout(part) };
  }
  if (fault.kind === 'disk-full' || fault.kind === 'certificates')
    return { kind: fault.kind, promised: 'all-answered' };
  if ('link' in fault) {
    const parts = touched(fault).map((part) => part.replace(/-\d+$/, ''));
    const spares = parts.includes('nats') || parts.includes('policy');
    return { kind: `${fault.kind} ${parts.join('->')}`, promised: spares ? 'all-answered' : undefined };
  }
  return { kind: fault.kind, promised: undefined };
}

/** What of a promise was not kept, a sentence each. */
export function brokenPromises({ kind, promised, fares, recoveriesMs }: KindMeasure): string[] {
  const attempts = fares.reduce((sum, fare) => sum + fare.attempts, 0);
  const answered = fares.reduce((sum, fare) => sum + fare.answered, 0);
  const broken: string[] = [];
  if (promised === 'all-answered' && answered < attempts) {
    const outcomes = JSON.stringify(fares.map((fare) => fare.outcomes));
    broken.push(`During "${kind}", ${attempts - answered} of ${attempts} attempts had no answer: ${outcomes}.`);
  }
  if (promised === 'told-within-a-second') {
    const p99Ms = percentile(
      fares.flatMap((fare) => fare.latenciesMs),
      0.99,
    );
    if (attempts >= leastAttempts && p99Ms > longestP99Ms) {
      broken.push(`During "${kind}", clients were told after ${p99Ms} ms at p99, not within ${longestP99Ms} ms.`);
    }
    const longestMs = Math.max(0, ...recoveriesMs);
    if (longestMs > longestRecoveryMs) {
      broken.push(`After "${kind}", everything worked only after ${longestMs} ms, not within ${longestRecoveryMs} ms.`);
    }
  }
  return broken;
}

function promiseAbout(part: string): Promised | undefined {
  if (part === 'postgresql') return 'told-within-a-second';
  return part === 'policy' || part === 'nats' ? 'all-answered' : undefined;
}
