import { randomBytes, randomUUID } from 'node:crypto';
import type { Database } from '@muster/database';
import { openPrivateKey, type SigningKey, sealPrivateKey, signingKeyFromSeed } from '@muster/trust';
import { createHostStatement, readHostStatement } from './statements.ts';

/** Who this host is towards vendors, gateways and clients (DESIGN 3). A host is a deployment, not a process. */
export interface HostIdentity {
  /** UUID. */
  readonly hostId: string;
  readonly key: SigningKey;
}

/** The host's row. */
export interface HostRow {
  readonly host_id: string;
  readonly sealed_private_key: Uint8Array;
}

const initializationVectorBytes = 12;
const seedBytes = 32;

/**
 * Reads the host's identity, or makes it at the first start. Its private key is kept encrypted and never leaves
 * licensing-policy.
 *
 * @param keyEncryptionKey 32 bytes, kept apart from the database.
 * @throws MusterError `DOCUMENT_INVALID` when the key-encryption key does not open the stored key.
 */
export async function loadHostIdentity(
  database: Database,
  keyEncryptionKey: Uint8Array,
  nowMs: number,
): Promise<HostIdentity> {
  const present = await readHost(database);
  if (present !== undefined) return openHost(present, keyEncryptionKey);
  const hostId = randomUUID();
  const sealed = sealPrivateKey(
    randomBytes(seedBytes),
    keyEncryptionKey,
    randomBytes(initializationVectorBytes),
    purposeOf(hostId),
  );
  await database.query(createHostStatement, [hostId, '', sealed, nowMs]);
  const made = await readHost(database);
  if (made === undefined) throw new Error('the host identity was written and is not there');
  return openHost(made, keyEncryptionKey);
}

async function readHost(database: Database): Promise<HostRow | undefined> {
  return (await database.query<HostRow>(readHostStatement))[0];
}

/**
 * Opens the host's identity.
 *
 * @throws MusterError `DOCUMENT_INVALID` when the key-encryption key does not open the row's key.
 */
export function openHost(row: HostRow, keyEncryptionKey: Uint8Array): HostIdentity {
  const seed = openPrivateKey(row.sealed_private_key, keyEncryptionKey, purposeOf(row.host_id));
  return { hostId: row.host_id, key: signingKeyFromSeed(seed) };
}

/** Bound into the seal, so that a sealed key cannot be moved to another host's row. */
function purposeOf(hostId: string): string {
  return `muster host key ${hostId}`;
}
