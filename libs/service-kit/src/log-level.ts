import { z } from 'zod';

/** What a service logs at least; `silent` logs nothing. */
export const logLevels = ['debug', 'info', 'warn', 'error', 'silent'] as const;
export type LogLevel = (typeof logLevels)[number];

/** The setting MUSTER_LOG_LEVEL. */
export const logLevelSetting = z
  .enum(logLevels, `it is one of ${logLevels.join(', ')}`)
  .meta({ typeName: logLevels.join(', ') })
  .default('info')
  .describe('What is logged on standard error at least');
