export { AsyncQueue } from './async-queue.ts';
export { addressOfPeer, type CallOrigin } from './call-origin.ts';
export { type Caller, roleOf } from './caller.ts';
export { type Clock, ManualClock, systemClock } from './clock.ts';
export { type CommonSettings, commonSettings } from './common-settings.ts';
export { addToServer, type ConnectOptions, connectTo, type MethodRules } from './grpc-interface.ts';
export { type GrpcServerOptions, type ServedService, serveGrpc } from './grpc-server.ts';
export { type LogLevel, logLevelSetting, logLevels } from './log-level.ts';
export { createLogger, type Logger } from './logger.ts';
export { type ManagementAnswers, serveManagement } from './management-server.ts';
export { natsConnectionOf, natsSettings } from './nats-settings.ts';
export { type Check, type CheckResult, Readiness, type ReadinessReport } from './readiness.ts';
export { type RunningService, runService, type ServiceContext, type ServiceDefinition } from './run-service.ts';
export { readSecretFile, secretFile } from './secret-file.ts';
export { ServerCertificate } from './server-certificate.ts';
export {
  describeSettings,
  filePath,
  hostAndPort,
  list,
  loadSettings,
  onOrOff,
  type Settings,
  type SettingsShape,
  type SettingsSources,
  secret,
  serviceAddress,
  text,
  wholeNumber,
} from './settings.ts';
export { parseSettingsFile, readSettingsFile, type SettingsFile } from './settings-file.ts';
export { TlsIdentity } from './tls-identity.ts';
export type { TlsFiles } from './tls-material.ts';
