export { AsyncQueue } from './async-queue.ts';
export { type Clock, ManualClock, systemClock } from './clock.ts';
export { addToServer, connectTo } from './grpc-interface.ts';
export { type ServedService, serveGrpc } from './grpc-server.ts';
export { type LogLevel, logLevelSetting, logLevels } from './log-level.ts';
export { createLogger, type Logger } from './logger.ts';
export { runService, type ServiceDefinition } from './run-service.ts';
export { secretFile } from './secret-file.ts';
export {
  describeSettings,
  hostAndPort,
  loadSettings,
  type Settings,
  type SettingsShape,
  text,
  wholeNumber,
} from './settings.ts';
