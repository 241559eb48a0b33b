import type { Session } from '@muster/database';
import { MusterError } from '@muster/product-groups';
import { type HostIdentity, openHost } from './host-identity.ts';

/** What an import must not be mixed with, in words; nothing when there is no key yet. The schema has to be there. */
export async function policyContents(session: Session): Promise<readonly string[]> {
  const [present] = await session.query<{ keys: boolean }>({
    name: 'policy.contents',
    text: 'select exists (select from policy.kms_key) as keys',
  });
  return present?.keys ? ['KMS keys'] : [];
}

/** Removes what a site without keys has of its own: its host identity, vendors, catalogue and settings. */
export async function clearPolicy(session: Session): Promise<void> {
  for (const table of ['interval_override', 'catalogue', 'vendor', 'revision', 'host']) {
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
