import { type Logger, pino } from 'pino';

export type { Logger };

/** What a service logs at least; `silent` logs nothing. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** JSON lines on standard error: standard output belongs to what a command was asked for. */
export function createLogger(service: string, level: LogLevel): Logger {
  return pino({ base: { service }, level, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination(2));
}
