import type { Statement } from '@muster/database';

/** Times are parameters in milliseconds since 1970. */
const time = (parameter: number) => `to_timestamp($${parameter}::float8 / 1000)`;

const keyColumns = `
  key_id, kind, last_five, application, product_group, customer, issued_at, expires_at, revoked_at, revocation_reason,
  host_limit, activations_per_host, certificate_days, mak_activations, mak_activations_used,
  (select count(*)::integer from authority.activated_host as host where host.key_id = product_key.key_id) as hosts`;

/** The vendor, one row or none. */
export const readVendorStatement: Statement = {
  name: 'authority.read_vendor',
  text: `select name, public_key_jwk, sealed_root_key, created_at from authority.vendor`,
};

export const createVendorStatement: Statement = {
  name: 'authority.create_vendor',
  text: `select authority.create_vendor($1::text, $2::text, $3::text, $4::bytea, ${time(5)}, $6::text, $7::text)`,
};

/** The catalogue in force; its text only when it is not the one that is known. */
export const readCatalogueStatement: Statement = {
  name: 'authority.read_catalogue',
  text: `
    select id, catalogue, version, signed_at, case when id = $1::bigint then '' else signed_catalogue end as signed_catalogue
    from authority.catalogue order by id desc limit 1`,
};

export const signCatalogueStatement: Statement = {
  name: 'authority.sign_catalogue',
  text: `
    select * from authority.sign_catalogue($1::text, $2::integer, $3::bytea, $4::text, ${time(5)}, $6::text, $7::text)`,
};

/** A key of another kind is not found, as one that never was. */
export const findKeyStatement: Statement = {
  name: 'authority.find_key',
  text: `select ${keyColumns} from authority.product_key where key_hash = $1::bytea and kind = $2::text`,
};

export const readKeyStatement: Statement = {
  name: 'authority.read_key',
  text: `select ${keyColumns} from authority.product_key where key_id = $1::uuid`,
};

export const issueKeyStatement: Statement = {
  name: 'authority.issue_key',
  text: `
    select authority.issue_key($1::uuid, $2::text, $3::bytea, $4::text, $5::text, $6::text, $7::text, ${time(8)}, ${time(9)},
                               $10::integer, $11::integer, $12::integer, $13::integer, $14::text, $15::text)`,
};

export const changeKeyStatement: Statement = {
  name: 'authority.change_key',
  text: `
    select authority.change_key($1::uuid, ${time(2)}, $3::integer, $4::integer, $5::integer, $6::integer, ${time(7)},
                                $8::text, $9::text)`,
};

export const revokeKeyStatement: Statement = {
  name: 'authority.revoke_key',
  text: `select authority.revoke_key($1::uuid, $2::text, ${time(3)}, $4::text, $5::text)`,
};

/** A page of keys behind one of them, in the order of their issue. */
export const listKeysStatement: Statement = {
  name: 'authority.list_keys',
  text: `
    select ${keyColumns} from authority.product_key
    where ($1::text = '' or customer = $1) and ($2::text = '' or kind = $2) and ($3::text = '' or application = $3)
      and ($4::uuid is null
           or (issued_at, key_id) > (select issued_at, key_id from authority.product_key where key_id = $4))
    order by issued_at, key_id limit $5::integer`,
};

export const listHostsStatement: Statement = {
  name: 'authority.list_hosts',
  text: `
    select host_id, host_public_key, host_platform, activations, first_activated_at, last_certified_at, expires_at
    from authority.activated_host where key_id = $1::uuid and ($2::uuid is null or host_id > $2)
    order by host_id limit $3::integer`,
};

export const listInstallationsStatement: Statement = {
  name: 'authority.list_installations',
  text: `
    select installation_id, edition, confirmed_at
    from authority.confirmed_installation where key_id = $1::uuid and ($2::bytea is null or installation_id > $2)
    order by installation_id limit $3::integer`,
};

/** The keys by which a host was activated for a group, the one that it may be renewed by first. */
export const findActivatedHostStatement: Statement = {
  name: 'authority.find_activated_host',
  text: `
    select ${keyColumns}, (select host_platform from authority.activated_host as host
                           where host.key_id = product_key.key_id and host_id = $1::uuid) as host_platform
    from authority.product_key
    where application = $3::text and product_group = $4::text
      and key_id in (select key_id from authority.activated_host where host_id = $1::uuid and host_public_key = $2::bytea)
    order by revoked_at is null and expires_at > ${time(5)} desc, expires_at desc limit 1`,
};

export const activateHostStatement: Statement = {
  name: 'authority.activate_host',
  text: `
    select * from authority.activate_host($1::uuid, $2::uuid, $3::bytea, $4::text, $5::bytea, $6::text, ${time(7)}, ${time(8)},
                                          $9::text, $10::text)`,
};

export const renewHostStatement: Statement = {
  name: 'authority.renew_host',
  text: `
    select * from authority.renew_host($1::uuid, $2::uuid, $3::bytea, $4::bytea, $5::text, ${time(6)}, ${time(7)},
                                       $8::text, $9::text)`,
};

export const confirmInstallationsStatement: Statement = {
  name: 'authority.confirm_installations',
  text: `
    select * from authority.confirm_installations($1::uuid, $2::text[], $3::text[], $4::text[], ${time(5)},
                                                  $6::text, $7::text)`,
};

export const auditHeadStatement: Statement = {
  name: 'authority.audit_head',
  text: `select sequence, record, hash from authority.audit_record order by sequence desc limit 1`,
};

export const auditPageStatement: Statement = {
  name: 'authority.audit_page',
  text: `
    select sequence, record, hash from authority.audit_record
    where sequence >= $1::bigint and sequence <= $2::bigint order by sequence limit $3::integer`,
};

/** Whether the database takes changes. */
export const probeStatement: Statement = {
  name: 'authority.probe',
  text: `select not pg_is_in_recovery() as writable`,
};
