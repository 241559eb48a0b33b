import { type Logger, pino } from 'pino';
import type { LogLevel } from './log-level.ts';

export type { Logger };

/**
 * JSON lines on standard error: standard output belongs to what a command was asked for.
 *
 * Written at once. Pino's writing in the background does not end when the reader has gone: its flush at the exit tries
 * again without end.
 */
export function createLogger(service: string, level: LogLevel): Logger {
  return pino(
    { base: { service }, level, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
}
