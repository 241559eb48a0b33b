export { AsyncQueue } from './async-queue.ts';
export { type Clock, ManualClock, systemClock } from './clock.ts';
export { addToServer, connectTo } from './grpc-interface.ts';
export { createLogger, type Logger, type LogLevel, logLevels } from './logger.ts';
