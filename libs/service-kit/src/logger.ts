import { type Logger, pino } from 'pino';
import type { LogLevel } from './log-level.ts';

export type { Logger };

/** JSON lines on standard error: standard output belongs to what a command was asked for. */
export function createLogger(service: string, level: LogLevel): Logger {
  return pino({ base: { service }, level, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}
