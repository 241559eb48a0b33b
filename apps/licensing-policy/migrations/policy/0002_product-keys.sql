-- The product keys of KMS keys that a customer has installed, and what became of each (DESIGN 3).
-- policy.kms_key stays what gateways get; it holds the certificate that a key's activation brought.

create table policy.product_key (
  id                 uuid        primary key,
  key_hash           bytea       not null unique, -- HMAC-SHA-256 under a secret from the key-encryption key
  sealed_product_key bytea       not null,        -- AES-256-GCM under the key-encryption key
  last_five          text        not null,        -- what may be shown of it
  installed_at       timestamptz not null,

  -- An activation that the vendor was asked for online and that has not come: asked again under the same id, it uses
  -- nothing twice.
  request_id         bytea,
  requested_at       timestamptz,
  -- The same by a text block that somebody carries: made again, it is the same block.
  carried_at         timestamptz,
  carried_platform   text,

  -- What it activated; nothing until it was activated for the first time.
  application        text,
  product_group      text,
  key                text,
  vendor             text,
  host_certificate   text,
  certified_at       timestamptz,                 -- when the vendor issued the certificate
  activated_at       timestamptz,
  expires_at         timestamptz,

  renew_at           timestamptz,                 -- the next renewal; none while there is nothing to renew
  problem_code       text        not null default '', -- why the last renewal failed
  problem            text        not null default '',
  problem_at         timestamptz,

  check ((request_id is null) = (requested_at is null)),
  check ((carried_at is null) = (carried_platform is null)),
  check (num_nulls(application, product_group, key, vendor, host_certificate, certified_at, activated_at, expires_at)
         in (0, 8))
);
