import type { Statement } from '@muster/database';

/** Times are parameters in milliseconds since 1970. */
const time = (parameter: number) => `to_timestamp($${parameter}::float8 / 1000)`;

/** Every installed key, in the order of installation, without the sealed product keys. */
export const listProductKeysStatement: Statement = {
  name: 'policy.list_product_keys',
  text: `
    select id, last_five, installed_at, request_id is not null as requested, carried_at, carried_platform,
           application, product_group, key, vendor, host_certificate, certified_at, activated_at, expires_at,
           renew_at, problem_code, problem, problem_at
    from policy.product_key order by installed_at, id`,
};

export const readSealedKeyStatement: Statement = {
  name: 'policy.read_sealed_product_key',
  text: `select sealed_product_key from policy.product_key where id = $1::uuid`,
};

export const findProductKeyStatement: Statement = {
  name: 'policy.find_product_key',
  text: `select id from policy.product_key where key_hash = $1::bytea`,
};

/** A key that is there already stays as it is. */
export const installProductKeyStatement: Statement = {
  name: 'policy.install_product_key',
  text: `
    insert into policy.product_key (id, key_hash, sealed_product_key, last_five, installed_at)
    values ($1::uuid, $2::bytea, $3::bytea, $4::text, ${time(5)})
    on conflict (key_hash) do nothing
    returning id`,
};

/**
 * The request that is open, or a new one. Who asks at the same time gets the same one; none when the certificate is no
 * longer the one that the caller knows ($4), for then the key was activated meanwhile.
 */
export const openRequestStatement: Statement = {
  name: 'policy.open_request',
  text: `
    update policy.product_key
    set request_id = coalesce(request_id, $2::bytea), requested_at = coalesce(requested_at, ${time(3)})
    where id = $1::uuid and host_certificate is not distinct from $4::text
    returning request_id, requested_at`,
};

/** Forgets a request whose answer is of no use any more. */
export const dropRequestStatement: Statement = {
  name: 'policy.drop_request',
  text: `update policy.product_key set request_id = null, requested_at = null where id = $1::uuid and request_id = $2::bytea`,
};

/** The block that is being carried, as long as it tells the platform that is true now; or a new one. */
export const carryRequestStatement: Statement = {
  name: 'policy.carry_request',
  text: `
    update policy.product_key
    set carried_at = case when $4::boolean or carried_platform is distinct from $2::text then ${time(3)} else carried_at end,
        carried_platform = $2::text
    where id = $1::uuid
    returning carried_at, carried_platform`,
};

/**
 * Keeps a certificate and puts it in force in the same commit. What an administrator activated goes first; a renewal
 * takes the place only of the certificate that it renews.
 *
 * $11 is the certificate that is renewed, or null for an activation.
 */
export const keepCertificateStatement: Statement = {
  name: 'policy.keep_certificate',
  text: `
    with kept as (
      update policy.product_key
      set application = $2::text, product_group = $3::text, key = $4::text, vendor = $5::text,
          host_certificate = $6::text, certified_at = ${time(7)}, activated_at = ${time(8)}, expires_at = ${time(9)},
          renew_at = ${time(10)}, problem_code = '', problem = '', problem_at = null,
          request_id = case when $11::text is null then null else request_id end,
          requested_at = case when $11::text is null then null else requested_at end,
          carried_at = case when $11::text is null then null else carried_at end,
          carried_platform = case when $11::text is null then null else carried_platform end
      where id = $1::uuid and ($11::text is null or host_certificate = $11::text)
      returning id
    ), put_in_force as (
      insert into policy.kms_key
        (application, product_group, key, vendor, host_certificate, activated_at, expires_at)
      select $2::text, $3::text, $4::text, $5::text, $6::text, ${time(8)}, ${time(9)} where exists (select from kept)
      on conflict (application, product_group) do update
        set key = excluded.key, vendor = excluded.vendor, host_certificate = excluded.host_certificate,
            activated_at = excluded.activated_at, expires_at = excluded.expires_at
        where kms_key.host_certificate <> excluded.host_certificate
          and ($11::text is null or kms_key.host_certificate = $11::text)
      returning 1
    ), changed as (
      update policy.revision set revision = revision + 1 where exists (select from put_in_force)
    )
    select id from kept`,
};

/** Takes the turn to renew a key, for one replica of all. */
export const takeRenewalStatement: Statement = {
  name: 'policy.take_renewal',
  text: `
    update policy.product_key set renew_at = ${time(3)}
    where id = $1::uuid and host_certificate = $4::text and renew_at <= ${time(2)}
    returning id`,
};

/** Keeps why a renewal failed; with true in $5 it is not tried again. */
export const keepProblemStatement: Statement = {
  name: 'policy.keep_problem',
  text: `
    update policy.product_key
    set problem_code = $2::text, problem = $3::text, problem_at = ${time(4)},
        renew_at = case when $5::boolean then null else renew_at end
    where id = $1::uuid`,
};

/**
 * Removes a key and the certificate that it brought. Where another installed key was activated for the same product
 * group, the certificate of that one takes its place.
 */
export const removeProductKeyStatement: Statement = {
  name: 'policy.remove_product_key',
  text: `
    with removed as (
      delete from policy.product_key where id = $1::uuid
      returning id, application, product_group, host_certificate
    ), other as (
      select product_key.*
      from policy.product_key join removed using (application, product_group)
      where product_key.id <> $1::uuid
      order by product_key.expires_at desc limit 1
    ), replaced as (
      update policy.kms_key
      set key = other.key, vendor = other.vendor, host_certificate = other.host_certificate,
          activated_at = other.activated_at, expires_at = other.expires_at
      from other, removed
      where kms_key.application = removed.application and kms_key.product_group = removed.product_group
        and kms_key.host_certificate = removed.host_certificate
      returning 1
    ), ended as (
      delete from policy.kms_key using removed
      where kms_key.application = removed.application and kms_key.product_group = removed.product_group
        and kms_key.host_certificate = removed.host_certificate and not exists (select from other)
      returning 1
    ), changed as (
      update policy.revision set revision = revision + 1
      where exists (select from replaced) or exists (select from ended)
    )
    select id from removed`,
};
