import type { CarriedTable } from '@muster/database';

/**
 * The tables that make up what licensing-policy knows, in the order in which they are carried to another database. The
 * host's private key and product keys travel sealed, as they lie there; the key-encryption key is not in the database.
 */
export const policyTables: readonly CarriedTable[] = [
  { name: 'policy.host', orderBy: 'only_row' },
  { name: 'policy.revision', orderBy: 'only_row' },
  { name: 'policy.vendor', orderBy: 'key_id' },
  { name: 'policy.catalogue', orderBy: 'only_row' },
  { name: 'policy.kms_key', orderBy: 'application, product_group' },
  { name: 'policy.product_key', orderBy: 'id' },
  { name: 'policy.interval_override', orderBy: 'application' },
];

/** The table with the one row that says which host it is. */
export const hostTable = 'policy.host';
