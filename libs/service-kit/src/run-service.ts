import { MusterError } from '@muster/product-groups';
import type { z } from 'zod';
import { logLevelSetting } from './log-level.ts';
import { createLogger, type Logger } from './logger.ts';
import { describeSettings, loadSettings, type Settings, type SettingsShape } from './settings.ts';

/** What a service's `main.ts` says about itself. */
export interface ServiceDefinition<Shape extends SettingsShape> {
  readonly name: string;
  /** One sentence for `--help`. */
  readonly purpose: string;
  readonly settings: Shape;
  /** Builds the adapters and the service and starts it. Returns what drains and stops it. */
  start(settings: Settings<Shape>, logger: Logger): Promise<() => Promise<void>>;
}

/** How long a service may take to drain before it is ended. */
const drainMs = 25_000;

/**
 * Runs a service as a process: settings from the environment, `--help`, JSON logs, drain on SIGTERM and SIGINT.
 *
 * Exit codes: 0 stopped as asked, 1 it could not start or failed, 2 wrong settings.
 */
export async function runService<Shape extends SettingsShape>(definition: ServiceDefinition<Shape>): Promise<void> {
  const shape = { ...definition.settings, MUSTER_LOG_LEVEL: logLevelSetting };
  if (process.argv.includes('--help') || process.argv.includes('-h')) {
    process.stdout.write(describeSettings(definition.name, definition.purpose, shape));
    return;
  }
  try {
    const settings = loadSettings(shape, process.env);
    const logger = createLogger(definition.name, settings.MUSTER_LOG_LEVEL as z.output<typeof logLevelSetting>);
    const asked = stopSignal();
    // A start may wait for others; who is stopped meanwhile has nothing to drain.
    const stop = await Promise.race([definition.start(settings as unknown as Settings<Shape>, logger), asked]);
    if (stop === undefined) process.exit(0);
    logger.info('ready');
    await asked;
    logger.info('draining');
    setTimeout(() => {
      logger.error({ drainMs }, 'the drain took too long');
      process.exit(1);
    }, drainMs).unref();
    await stop();
    logger.info('stopped');
    process.exit(0);
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    process.stderr.write(`${definition.name}: ${error.code}: ${error.message} ${error.remedy}\n`);
    process.exit(error.code === 'SETTING_INVALID' ? 2 : 1);
  }
}

function stopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve(undefined));
    process.once('SIGINT', () => resolve(undefined));
  });
}
