-- What a vendor does, each with its record in the audit trail.

-- Keeps the first vendor that is made: of two replicas that make one at the same time, both use the same root.
create function authority.create_vendor(
  new_name text, jwk text, root_key_id text, sealed bytea, asked_at timestamptz, actor text, address text
) returns void language plpgsql as $$
begin
  perform authority.take_turn();
  if exists (select from authority.vendor) then
    return;
  end if;
  insert into authority.vendor (name, public_key_jwk, sealed_root_key, created_at) values (new_name, jwk, sealed, asked_at);
  perform authority.append_audit(asked_at, actor, address, 'vendor.created', root_key_id, null,
    (select row_to_json(state) from (select new_name as name) as state));
end
$$;

-- Puts a catalogue in force. The text that is in force already changes nothing. Answers the row that is in force, or the
-- highest version so far when the new one is not above it.
create function authority.sign_catalogue(
  new_catalogue text, new_version integer, new_hash bytea, new_signed text, asked_at timestamptz, actor text, address text
) returns table (code text, catalogue_id text, catalogue_version integer, signed text, signed_when timestamptz)
language plpgsql as $$
declare
  last    authority.catalogue;
  highest integer;
begin
  perform authority.take_turn();
  select * into last from authority.catalogue order by id desc limit 1;
  if last.text_hash = new_hash then
    return query select '', last.catalogue, last.version, last.signed_catalogue, last.signed_at;
    return;
  end if;
  select max(known.version) into highest from authority.catalogue as known where known.catalogue = new_catalogue;
  if highest >= new_version then
    return query select 'CATALOGUE_INVALID', new_catalogue, highest, '', asked_at;
    return;
  end if;
  insert into authority.catalogue (catalogue, version, text_hash, signed_catalogue, signed_at)
  values (new_catalogue, new_version, new_hash, new_signed, asked_at);
  perform authority.append_audit(asked_at, actor, address, 'catalogue.signed', new_catalogue,
    case when last.id is not null then
      (select row_to_json(state) from (select last.catalogue, last.version) as state)
    end,
    (select row_to_json(state)
     from (select new_catalogue as catalogue, new_version as version, encode(new_hash, 'hex') as sha256) as state));
  return query select '', new_catalogue, new_version, new_signed, asked_at;
end
$$;

-- What the audit trail says of a key.
create function authority.state_of(key authority.product_key) returns json language sql as $$
  select row_to_json(state)
  from (select key.kind, key.application, key.product_group as "productGroup", key.customer,
               round(extract(epoch from key.expires_at) * 1000)::bigint as "expiresAtUnixMs",
               key.host_limit as "hostLimit", key.activations_per_host as "activationsPerHost",
               key.certificate_days as "certificateDays", key.mak_activations as "makActivations",
               key.revoked_at is not null as revoked, key.revocation_reason as "revocationReason") as state
$$;

create function authority.issue_key(
  new_id uuid, new_kind text, new_hash bytea, new_last_five text, new_application text, new_group text,
  new_customer text, asked_at timestamptz, ends_at timestamptz, hosts integer, activations integer, days integer,
  installations integer, actor text, address text
) returns void language plpgsql as $$
declare
  made authority.product_key;
begin
  perform authority.take_turn();
  insert into authority.product_key
    (key_id, kind, key_hash, last_five, application, product_group, customer, issued_at, expires_at,
     host_limit, activations_per_host, certificate_days, mak_activations)
  values (new_id, new_kind, new_hash, new_last_five, new_application, new_group, new_customer, asked_at, ends_at,
          hosts, activations, days, installations)
  returning * into made;
  perform authority.append_audit(asked_at, actor, address, 'key.issued', new_id::text, null, authority.state_of(made));
end
$$;

-- Changes what is not null. A key that has these values already is not changed, and there is no record.
create function authority.change_key(
  wanted_key uuid, ends_at timestamptz, hosts integer, activations integer, days integer, installations integer,
  asked_at timestamptz, actor text, address text
) returns void language plpgsql as $$
declare
  old_key authority.product_key;
  new_key authority.product_key;
begin
  perform authority.take_turn();
  select * into old_key from authority.product_key where key_id = wanted_key;
  if not found then
    return;
  end if;
  update authority.product_key as key
  set expires_at           = coalesce(ends_at, key.expires_at),
      host_limit           = coalesce(hosts, key.host_limit),
      activations_per_host = coalesce(activations, key.activations_per_host),
      certificate_days     = coalesce(days, key.certificate_days),
      mak_activations      = coalesce(installations, key.mak_activations)
  where key_id = wanted_key
  returning * into new_key;
  if new_key is distinct from old_key then
    perform authority.append_audit(asked_at, actor, address, 'key.changed', wanted_key::text,
      authority.state_of(old_key), authority.state_of(new_key));
  end if;
end
$$;

-- A key that is revoked stays so, with its first reason.
create function authority.revoke_key(
  wanted_key uuid, reason text, asked_at timestamptz, actor text, address text
) returns void language plpgsql as $$
declare
  old_key authority.product_key;
  new_key authority.product_key;
begin
  perform authority.take_turn();
  select * into old_key from authority.product_key where key_id = wanted_key and revoked_at is null;
  if not found then
    return;
  end if;
  update authority.product_key set revoked_at = asked_at, revocation_reason = reason where key_id = wanted_key
  returning * into new_key;
  perform authority.append_audit(asked_at, actor, address, 'key.revoked', wanted_key::text,
    authority.state_of(old_key), authority.state_of(new_key));
end
$$;
