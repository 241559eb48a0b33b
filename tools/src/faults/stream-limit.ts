import { DiscardPolicy, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';

const streamName = 'MUSTER';

/** A stream that takes no more. */
export interface StreamLimit {
  /** Whether it was made so. */
  readonly refused: boolean;
  /** Lets it take messages again. */
  lift(): Promise<void>;
}

/**
 * Makes the stream take no more messages, as a full disk does to those who publish: it may keep what it has, and new
 * messages are refused. For machines where no small file system can be mounted.
 */
export async function limitStream(server: string): Promise<StreamLimit> {
  const change = async (full: boolean, before?: { max_bytes: number; discard: DiscardPolicy }) => {
    const connection = await connect({ servers: server, timeout: 2_000, reconnect: false });
    try {
      const manager = await jetstreamManager(connection, { timeout: 2_000 });
      const { config, state } = await manager.streams.info(streamName);
      const changed = full ? { max_bytes: Math.max(1, state.bytes), discard: DiscardPolicy.New } : before;
      await manager.streams.update(streamName, { ...config, ...changed });
      return { max_bytes: config.max_bytes, discard: config.discard };
    } finally {
      await connection.close();
    }
  };
  const before = await change(true);
  return {
    refused: true,
    async lift() {
      await change(false, before);
    },
  };
}
