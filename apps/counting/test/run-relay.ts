import { OutboxRelay } from '@muster/counting';
import { openPostgresql } from '@muster/database';
import { connectNatsBus } from '@muster/events';
import { createLogger } from '@muster/service-kit';
import { hostId } from './host-id.ts';

/** Relays in a process of its own until it is killed: node run-relay.ts <database> <NATS> <replica>. */
const [url = '', server = '', replica = ''] = process.argv.slice(2);
const database = await openPostgresql({ url });
const bus = connectNatsBus({ servers: [server], name: replica });
new OutboxRelay({ database, bus, hostId, logger: createLogger(replica, 'silent'), replica }).start();
