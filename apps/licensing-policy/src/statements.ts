import type { Statement } from '@muster/database';

/** The host's identity, one row or none. */
export const readHostStatement: Statement = {
  name: 'policy.read_host',
  text: `select host_id, sealed_private_key from policy.host`,
};

/** Keeps the first identity that is written: of two replicas that start together, both use the same one. */
export const createHostStatement: Statement = {
  name: 'policy.create_host',
  text: `
    insert into policy.host (host_id, platform, sealed_private_key, created_at)
    values ($1::uuid, $2::text, $3::bytea, to_timestamp($4::float8 / 1000))
    on conflict do nothing`,
};

export const setPlatformStatement: Statement = {
  name: 'policy.set_platform',
  text: `
    with changed as (
      update policy.host set platform = $1::text where platform <> $1::text
      returning 1
    )
    update policy.revision set revision = revision + 1 where exists (select from changed)`,
};

/** Everything that a snapshot is made of, in one statement, so that it is of one moment. */
export const readPolicyStatement: Statement = {
  name: 'policy.read_policy',
  text: `
    select
      (select revision from policy.revision) as revision,
      coalesce((select platform from policy.host), '') as host_platform,
      (select coalesce(json_agg(public_key_jwk order by key_id), '[]') from policy.vendor) as vendor_keys,
      coalesce((select signed_catalogue from policy.catalogue), '') as signed_catalogue,
      (select coalesce(json_agg(json_build_object(
                'application', application, 'productGroup', product_group, 'key', key, 'vendor', vendor,
                'hostCertificate', host_certificate,
                'expiresAtMs', (extract(epoch from expires_at) * 1000)::bigint)
                order by application, product_group), '[]')
       from policy.kms_key) as kms_keys,
      (select coalesce(json_agg(json_build_object(
                'application', application,
                'activationIntervalMinutes', activation_interval_minutes,
                'renewalIntervalMinutes', renewal_interval_minutes)
                order by application), '[]')
       from policy.interval_override) as interval_overrides`,
};

/** Grows with every change: what tells one replica that another has changed something. */
export const readRevisionStatement: Statement = {
  name: 'policy.read_revision',
  text: `select revision from policy.revision`,
};

/** Trusting a vendor again changes nothing. */
export const trustVendorStatement: Statement = {
  name: 'policy.trust_vendor',
  text: `
    with changed as (
      insert into policy.vendor (key_id, public_key_jwk, trusted_at)
      values ($1::text, $2::text, to_timestamp($3::float8 / 1000))
      on conflict do nothing
      returning 1
    )
    update policy.revision set revision = revision + 1 where exists (select from changed)`,
};

export const installCatalogueStatement: Statement = {
  name: 'policy.install_catalogue',
  text: `
    with changed as (
      insert into policy.catalogue (signed_catalogue, installed_at)
      values ($1::text, to_timestamp($2::float8 / 1000))
      on conflict (only_row) do update
        set signed_catalogue = excluded.signed_catalogue, installed_at = excluded.installed_at
      returning 1
    )
    update policy.revision set revision = revision + 1 where exists (select from changed)`,
};

export const installKeyStatement: Statement = {
  name: 'policy.install_key',
  text: `
    with changed as (
      insert into policy.kms_key
        (application, product_group, key, vendor, host_certificate, activated_at, expires_at)
      values ($1::text, $2::text, $3::text, $4::text, $5::text,
              to_timestamp($6::float8 / 1000), to_timestamp($7::float8 / 1000))
      on conflict (application, product_group) do update
        set key = excluded.key, vendor = excluded.vendor, host_certificate = excluded.host_certificate,
            activated_at = excluded.activated_at, expires_at = excluded.expires_at
      returning 1
    )
    update policy.revision set revision = revision + 1 where exists (select from changed)`,
};

export const overrideIntervalsStatement: Statement = {
  name: 'policy.override_intervals',
  text: `
    with changed as (
      insert into policy.interval_override (application, activation_interval_minutes, renewal_interval_minutes)
      values ($1::text, $2::integer, $3::integer)
      on conflict (application) do update
        set activation_interval_minutes = excluded.activation_interval_minutes,
            renewal_interval_minutes = excluded.renewal_interval_minutes
      returning 1
    )
    update policy.revision set revision = revision + 1 where exists (select from changed)`,
};
