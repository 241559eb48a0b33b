import { readFileSync } from 'node:fs';
import type { Role } from '@muster/contracts/methods';
import { MusterError } from '@muster/product-groups';
import { type CommonSettings, commonSettings } from './common-settings.ts';
import { createLogger, type Logger } from './logger.ts';
import { serveManagement } from './management-server.ts';
import { Readiness } from './readiness.ts';
import { describeSettings, loadSettings, type Settings, type SettingsShape } from './settings.ts';
import { readSettingsFile } from './settings-file.ts';
import { TlsIdentity } from './tls-identity.ts';

/** What a service is started with. */
export interface ServiceContext<Shape extends SettingsShape> {
  readonly settings: Settings<Shape> & CommonSettings;
  readonly logger: Logger;
  /** Undefined when TLS is off. */
  readonly tls: TlsIdentity | undefined;
  /** The service adds its checks to it. */
  readonly readiness: Readiness;
  /** Milliseconds that the drain may take. */
  readonly drainMs: number;
}

/** A service that runs. */
export interface RunningService {
  /** Answers what has been asked, then stops every part. */
  stop(): Promise<void>;
  /** What it has done since it started, for `/statusz`. */
  status?(): unknown;
}

/** What a service's `main.ts` says about itself. */
export interface ServiceDefinition<Shape extends SettingsShape> {
  /** Also the role that its certificate names. */
  readonly name: Role;
  /** One sentence for `--help`. */
  readonly purpose: string;
  /** Where `/livez` and `/readyz` are served unless it is set otherwise. */
  readonly managementListen: string;
  readonly settings: Shape;
  /** Builds the adapters and the service and starts it. */
  start(context: ServiceContext<Shape>): Promise<RunningService>;
}

const daysBeforeExpiry = 7;
const millisecondsPerDay = 24 * 60 * 60 * 1_000;

/**
 * Runs a service as a process: settings from the environment and a file, `--help`, `--check`, JSON logs, a management
 * port, TLS files that are watched, and on SIGTERM or SIGINT a drain within a stated time. A second signal ends the
 * process at once.
 *
 * Exit codes: 0 stopped as asked, 1 it could not start, failed or drained for too long, 2 wrong settings.
 */
export async function runService<Shape extends SettingsShape>(definition: ServiceDefinition<Shape>): Promise<void> {
  const shape = { ...definition.settings, ...commonSettings(definition.managementListen) };
  const parameters = process.argv.slice(2);
  if (parameters.includes('--help') || parameters.includes('-h')) {
    process.stdout.write(describeSettings(definition.name, definition.purpose, shape));
    return;
  }
  try {
    const { file, check } = parseParameters(parameters);
    const settings = readSettings(shape, file) as Settings<Shape> & CommonSettings;
    const logger = createLogger(definition.name, settings.MUSTER_LOG_LEVEL);
    const tls = loadTls(settings, definition.name, logger);
    if (check) {
      process.stdout.write(`${definition.name}: the settings are in order.\n`);
      process.exit(0);
    }
    if (tls === undefined) logger.warn('TLS is off: everybody who reaches the gRPC port may call everything');
    await run(definition, settings, logger, tls);
    process.exit(0);
  } catch (error) {
    if (!(error instanceof MusterError)) throw error;
    process.stderr.write(`${definition.name}: ${error.code}: ${error.message} ${error.remedy}\n`);
    process.exit(error.code === 'SETTING_INVALID' || error.code === 'TLS_INVALID' ? 2 : 1);
  }
}

async function run<Shape extends SettingsShape>(
  definition: ServiceDefinition<Shape>,
  settings: Settings<Shape> & CommonSettings,
  logger: Logger,
  tls: TlsIdentity | undefined,
): Promise<void> {
  const asked = stopSignal();
  const readiness = new Readiness();
  if (tls !== undefined) readiness.add({ name: 'certificate', required: false, look: () => lookAtCertificate(tls) });
  let running: RunningService | undefined;
  const closeManagement = await serveManagement(settings.MUSTER_MANAGEMENT_LISTEN, {
    readiness,
    status: () => ({ service: definition.name, ...(running?.status?.() ?? {}) }),
  });
  const drainMs = settings.MUSTER_DRAIN_SECONDS * 1_000;
  // A start may wait for others; who is stopped meanwhile has nothing to drain.
  const started = definition.start({ settings, logger, tls, readiness, drainMs });
  running = await Promise.race([started, asked]);
  if (running === undefined) return;
  readiness.started();
  logger.info('ready');
  await asked;
  readiness.draining();
  logger.info({ delaySeconds: settings.MUSTER_DRAIN_DELAY_SECONDS }, 'stopping');
  await delay(settings.MUSTER_DRAIN_DELAY_SECONDS * 1_000);
  logger.info('draining');
  setTimeout(() => {
    logger.error({ drainMs }, 'the drain took too long');
    process.exit(1);
  }, drainMs).unref();
  await running.stop();
  tls?.close();
  await closeManagement();
  logger.info('stopped');
}

function parseParameters(parameters: readonly string[]): {
  readonly file: string | undefined;
  readonly check: boolean;
} {
  let file = process.env.MUSTER_CONFIG_FILE || undefined;
  let check = false;
  for (let index = 0; index < parameters.length; index += 1) {
    const parameter = parameters[index];
    if (parameter === '--check') check = true;
    else if (parameter === '--config' && parameters[index + 1] !== undefined) {
      index += 1;
      file = parameters[index];
    } else {
      throw new MusterError({
        code: 'SETTING_INVALID',
        message: `${parameter === '--config' ? '--config names no file' : `There is no parameter ${parameter}`}.`,
        remedy: 'Run with --help for every parameter and setting.',
      });
    }
  }
  return { file, check };
}

function readSettings<Shape extends SettingsShape>(shape: Shape, file: string | undefined): Settings<Shape> {
  const parsed = file === undefined ? undefined : readSettingsFile(file);
  return loadSettings(shape, {
    environment: process.env,
    file: parsed,
    readFile: (path) => readFileSync(path, 'utf8'),
    check: checkTls,
  });
}

const tlsFileNames = ['MUSTER_TLS_CA_FILE', 'MUSTER_TLS_CERTIFICATE_FILE', 'MUSTER_TLS_KEY_FILE'] as const;

/** TLS is on unless it is switched off, and needs its files then. */
function checkTls(texts: ReadonlyMap<string, string>): readonly string[] {
  if (texts.get('MUSTER_TLS') === 'off') return [];
  const missing = tlsFileNames.filter((name) => !texts.has(name));
  return missing.map((name) => `${name}: it is missing, and MUSTER_TLS is on`);
}

function loadTls(settings: CommonSettings, role: Role, logger: Logger): TlsIdentity | undefined {
  if (settings.MUSTER_TLS === 'off') return undefined;
  const [caFile = '', certificateFile = '', keyFile = ''] = tlsFileNames.map((name) => settings[name]);
  const files = { caFile, certificateFile, keyFile, trustDomain: settings.MUSTER_TLS_TRUST_DOMAIN };
  return new TlsIdentity(files, role, logger);
}

function lookAtCertificate(tls: TlsIdentity) {
  const days = Math.floor((tls.expiresAtMs - Date.now()) / millisecondsPerDay);
  if (tls.problem !== undefined) return { ok: false, detail: tls.problem };
  return { ok: days >= daysBeforeExpiry, detail: `the certificate ends in ${days} days` };
}

function delay(durationMs: number): Promise<void> {
  return durationMs === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, durationMs));
}

/** The first SIGTERM or SIGINT asks to stop, the second one ends the process at once. */
function stopSignal(): Promise<undefined> {
  return new Promise((resolve) => {
    let asked = false;
    for (const name of ['SIGTERM', 'SIGINT'] as const) {
      process.on(name, () => {
        if (asked) process.exit(1);
        asked = true;
        resolve(undefined);
      });
    }
  });
}
