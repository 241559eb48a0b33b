import { JetStreamApiError, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

const streamName = 'MUSTER';
const longestMs = 1_000;

/** Whether a server answers for the stream within a second; that there is none, yet, is an answer too. */
export async function jetStreamWorks(server: string): Promise<boolean> {
  const connection = await connect({ servers: server, timeout: longestMs, reconnect: false }).catch(() => undefined);
  if (connection === undefined) return false;
  try {
    const manager = await jetstreamManager(connection, { timeout: longestMs, checkAPI: false });
    await manager.streams.info(streamName);
    return true;
  } catch (error) {
    return error instanceof JetStreamApiError;
  } finally {
    await connection.close().catch(() => undefined);
  }
}
