-- What the vendor authority owns: the vendor's root, product keys and their use (DESIGN 3).
-- Tables with only_row hold one row at most.

create table authority.vendor (
  only_row        boolean     primary key default true check (only_row),
  name            text        not null,
  public_key_jwk  text        not null,
  sealed_root_key bytea       not null, -- AES-256-GCM under the key-encryption key, which never enters the database
  created_at      timestamptz not null
);

-- The catalogue by which keys are issued and hosts activated. All that were signed are kept; the last one is in force.
create table authority.catalogue (
  id               bigint      generated always as identity primary key,
  catalogue        text        not null, -- its id
  version          integer     not null,
  text_hash        bytea       not null, -- SHA-256 of the text that was signed
  signed_catalogue text        not null,
  signed_at        timestamptz not null,
  unique (catalogue, version)
);

-- A product key is known by a keyed hash and its last five characters: the database cannot be turned into keys.
create table authority.product_key (
  key_id               uuid        primary key,
  kind                 text        not null check (kind in ('KMS', 'MAK')),
  key_hash             bytea       not null unique, -- HMAC-SHA-256 of the key under a secret that never enters the database
  last_five            text        not null,
  application          text        not null,
  product_group        text        not null,
  customer             text        not null,
  issued_at            timestamptz not null,
  expires_at           timestamptz not null, -- no activation by it and no host certificate beyond
  revoked_at           timestamptz,
  revocation_reason    text        not null default '',
  host_limit           integer     not null check (host_limit >= 0),           -- KMS: hosts; 0 for a MAK
  activations_per_host integer     not null check (activations_per_host >= 0), -- KMS; 0 for a MAK
  certificate_days     integer     not null check (certificate_days >= 0),     -- KMS: life of a host certificate; 0 for a MAK
  mak_activations      integer     not null check (mak_activations >= 0),      -- MAK: installations; 0 for a KMS key
  mak_activations_used integer     not null default 0
);

create index product_key_by_issue on authority.product_key (issued_at, key_id);
create index product_key_of_customer on authority.product_key (customer, issued_at, key_id);

-- The hosts that a KMS key has activated.
create table authority.activated_host (
  key_id             uuid        not null references authority.product_key,
  host_id            uuid        not null,
  host_public_key    bytea       not null,
  host_platform      text        not null,
  activations        integer     not null,
  first_activated_at timestamptz not null,
  last_certified_at  timestamptz not null, -- by an activation or a renewal
  expires_at         timestamptz not null,
  -- The last renewal: asked again, it gets the same certificate.
  renewal            bytea,
  renewed_certificate text,
  primary key (key_id, host_id)
);

create index activated_host_by_host on authority.activated_host (host_id);

-- Every activation of a host. The same request, made again, gets the same certificate and uses nothing; there are no
-- more of them than the limits of the key allow.
create table authority.host_activation (
  key_id       uuid        not null references authority.product_key,
  request      bytea       not null, -- SHA-256 of all that was asked
  host_id      uuid        not null,
  certificate  text        not null,
  activated_at timestamptz not null,
  expires_at   timestamptz not null,
  primary key (key_id, request)
);

-- The installations that a MAK has confirmed, each once.
create table authority.confirmed_installation (
  key_id          uuid        not null references authority.product_key,
  installation_id bytea       not null,
  edition         text        not null,
  confirmation    text        not null,
  confirmed_at    timestamptz not null,
  primary key (key_id, installation_id)
);
