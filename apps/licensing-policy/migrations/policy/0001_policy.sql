-- What licensing-policy owns: host identity, trusted vendors, catalogue, KMS keys, settings (DESIGN 3 and 4).
-- Tables with only_row hold one row at most.

create table policy.host (
  only_row           boolean     primary key default true check (only_row),
  host_id            uuid        not null,
  platform           text        not null,
  sealed_private_key bytea       not null, -- AES-256-GCM under the key-encryption key, which never enters the database
  created_at         timestamptz not null
);

-- Grows with every change that a gateway must hear of.
create table policy.revision (
  only_row boolean primary key default true check (only_row),
  revision bigint  not null
);
insert into policy.revision (revision) values (1);

create table policy.vendor (
  key_id         text        primary key, -- RFC 7638 thumbprint
  public_key_jwk text        not null,
  trusted_at     timestamptz not null
);

create table policy.catalogue (
  only_row         boolean     primary key default true check (only_row),
  signed_catalogue text        not null, -- a JWS by one of the vendors
  installed_at     timestamptz not null
);

create table policy.kms_key (
  application      text        not null,
  product_group    text        not null,
  key              text        not null, -- its kind, as the catalogue names it
  vendor           text        not null,
  host_certificate text        not null, -- a JWT by one of the vendors
  activated_at     timestamptz not null,
  expires_at       timestamptz not null,
  primary key (application, product_group)
);

create table policy.interval_override (
  application                 text    primary key,
  activation_interval_minutes integer,
  renewal_interval_minutes    integer
);
