/** How a host is asked: closed loops, each asking again as soon as it has its answer. */
export interface LoadShape {
  readonly id: string;
  readonly title: string;
  readonly connections: number;
  /** Requests that wait at the same time on each connection. */
  readonly inFlight: number;
  /** False: each request opens a connection of its own, and the latency counts from there. */
  readonly keepsConnections: boolean;
}

/** The shapes that are measured, in this order. */
export const loadShapes: readonly LoadShape[] = [
  {
    id: 'new-32',
    title: 'a new connection each, 32 at a time',
    connections: 32,
    inFlight: 1,
    keepsConnections: false,
  },
  { id: 'kept-1x1', title: '1 kept connection, 1 in flight', connections: 1, inFlight: 1, keepsConnections: true },
  { id: 'kept-32x1', title: '32 kept connections, 1 in flight', connections: 32, inFlight: 1, keepsConnections: true },
  { id: 'kept-1x32', title: '1 kept connection, 32 in flight', connections: 1, inFlight: 32, keepsConnections: true },
  { id: 'kept-64x8', title: '64 kept connections, 8 in flight', connections: 64, inFlight: 8, keepsConnections: true },
];

/** What is asked: machines that are new to the site, machines that it knows, or the TCP echo of the same frames. */
export type LoadSubject = 'first' | 'renewal' | 'echo';

/** The subjects of a round, in this order: the echo takes its frame sizes from the real answers before it. */
export const loadSubjects: readonly LoadSubject[] = ['first', 'renewal', 'echo'];

export const subjectTitles: Readonly<Record<LoadSubject, string>> = {
  first: 'first activations',
  renewal: 'renewals',
  echo: 'raw TCP echo',
};
