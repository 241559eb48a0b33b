import type { Session } from '@muster/database';
import { MusterError } from '@muster/product-groups';
import { type HostIdentity, openHost } from './host-identity.ts';

/**
 * What an import must not be mixed with, in words; nothing when there is no key yet. The schema has to be there, and may
 * be that of an older release: a site is not migrated only to find that it is in use.
 */
export async function policyContents(session: Session): Promise<readonly string[]> {
  for (const table of ['policy.kms_key', 'policy.product_key']) {
    const [found] = await session.query<{ present: boolean }>(
      { name: 'policy.table_present', text: 'select to_regclass($1::text) is not null as present' },
      [table],
    );
    if (found?.present !== true) continue;
    const rows = await session.query({ name: `policy.contents_of ${table}`, text: `select 1 from ${table} limit 1` });
    if (rows.length > 0) return ['KMS keys'];
  }
  return [];
}

/** Removes what a site without keys has of its own: its host identity, vendors, catalogue and settings. */
export async function clearPolicy(session: Session): Promise<void> {
  for (const table of ['interval_override', 'product_key', 'catalogue', 'vendor', 'revision', 'host']) {
    await session.query({ name: `policy.clear_${table}`, text: `delete from policy.${table}` });
  }
}

/**
 * Opens the host's identity as `policyTables` carries it.
 *
 * @param row the JSON text of the one row of `hostTable`.
 * @param keyEncryptionKey 32 bytes.
 * @throws MusterError `DOCUMENT_INVALID` when the row is none of a host, or the key does not open it.
 */
export function openCarriedHost(row: string, keyEncryptionKey: Uint8Array): HostIdentity {
  const { host_id: hostId, sealed_private_key: sealed } = JSON.parse(row) as Record<string, unknown>;
  if (typeof hostId !== 'string' || typeof sealed !== 'string' || !/^\\x([0-9a-f]{2})+$/.test(sealed)) {
    throw new MusterError({
      code: 'DOCUMENT_INVALID',
      message: 'The row of the host has no id or no sealed key.',
    });
  }
  return openHost({ host_id: hostId, sealed_private_key: Buffer.from(sealed.slice(2), 'hex') }, keyEncryptionKey);
}
