-- The use of product keys, each decided, kept and recorded in one statement: who asks at the same time waits, so that no
-- limit is passed and nothing is used twice. Documents are signed before and given out only when they were kept: what is
-- told to a host or a machine is committed.

-- Activates a host for a KMS key, or says why not. `code` is '' when it is activated.
create function authority.activate_host(
  wanted_key uuid, host uuid, public_key bytea, platform text, asked_request bytea, new_certificate text,
  asked_at timestamptz, ends_at timestamptz, actor text, address text
) returns table (code text, issued text, issued_until timestamptz, used integer, allowed integer)
language plpgsql as $$
declare
  key   authority.product_key;
  known authority.activated_host;
  made  authority.host_activation;
  hosts integer;
begin
  perform authority.take_turn();
  select * into key from authority.product_key where key_id = wanted_key;
  select * into known from authority.activated_host where key_id = wanted_key and host_id = host;
  select * into made from authority.host_activation where key_id = wanted_key and request = asked_request;
  select count(*) into hosts from authority.activated_host where key_id = wanted_key;
  code := case
    when key.revoked_at is not null then 'KEY_REVOKED'
    when key.expires_at <= asked_at then 'KEY_EXPIRED'
    when made.key_id is not null then ''
    when ends_at > key.expires_at then 'UNAVAILABLE' -- the key was shortened since the certificate was signed
    when known.host_id is null and hosts >= key.host_limit then 'KEY_HOST_LIMIT'
    when coalesce(known.activations, 0) >= key.activations_per_host then 'KEY_ACTIVATION_LIMIT'
    else ''
  end;
  allowed := key.activations_per_host;
  used := coalesce(known.activations, 0);
  if code <> '' or made.key_id is not null then
    return query select code, coalesce(made.certificate, ''), coalesce(made.expires_at, ends_at), used, allowed;
    return;
  end if;
  insert into authority.host_activation (key_id, request, host_id, certificate, activated_at, expires_at)
  values (wanted_key, asked_request, host, new_certificate, asked_at, ends_at);
  insert into authority.activated_host
    (key_id, host_id, host_public_key, host_platform, activations, first_activated_at, last_certified_at, expires_at)
  values (wanted_key, host, public_key, platform, 1, asked_at, asked_at, ends_at)
  on conflict (key_id, host_id) do update
    set host_public_key = excluded.host_public_key, host_platform = excluded.host_platform, activations = used + 1,
        last_certified_at = excluded.last_certified_at, expires_at = excluded.expires_at,
        renewal = null, renewed_certificate = null;
  perform authority.append_audit(asked_at, actor, address, 'host.activated', wanted_key::text,
    (select row_to_json(state)
     from (select host as "hostId", hosts as hosts, used as activations) as state),
    (select row_to_json(state)
     from (select host as "hostId", hosts + (known.host_id is null)::integer as hosts, used + 1 as activations,
                  platform as "hostPlatform",
                  round(extract(epoch from ends_at) * 1000)::bigint as "expiresAtUnixMs") as state));
  return query select '', new_certificate, ends_at, used + 1, allowed;
end
$$;

-- Renews the certificate of a host that was activated. It uses nothing up.
create function authority.renew_host(
  wanted_key uuid, host uuid, public_key bytea, asked_renewal bytea, new_certificate text,
  asked_at timestamptz, ends_at timestamptz, actor text, address text
) returns table (code text, issued text, issued_until timestamptz)
language plpgsql as $$
declare
  key   authority.product_key;
  known authority.activated_host;
begin
  perform authority.take_turn();
  select * into key from authority.product_key where key_id = wanted_key;
  select * into known from authority.activated_host
  where key_id = wanted_key and host_id = host and host_public_key = public_key;
  code := case
    when known.host_id is null then 'HOST_NOT_ACTIVATED'
    when key.revoked_at is not null then 'KEY_REVOKED'
    when key.expires_at <= asked_at then 'KEY_EXPIRED'
    when known.renewal = asked_renewal then ''
    when ends_at > key.expires_at then 'UNAVAILABLE' -- the key was shortened since the certificate was signed
    else ''
  end;
  if code <> '' then
    return query select code, '', asked_at;
    return;
  end if;
  if known.renewal = asked_renewal then
    return query select '', known.renewed_certificate, known.expires_at;
    return;
  end if;
  update authority.activated_host
  set renewal = asked_renewal, renewed_certificate = new_certificate, last_certified_at = asked_at, expires_at = ends_at
  where key_id = wanted_key and host_id = host;
  perform authority.append_audit(asked_at, actor, address, 'host.renewed', wanted_key::text,
    (select row_to_json(state)
     from (select host as "hostId",
                  round(extract(epoch from known.expires_at) * 1000)::bigint as "expiresAtUnixMs") as state),
    (select row_to_json(state)
     from (select host as "hostId", round(extract(epoch from ends_at) * 1000)::bigint as "expiresAtUnixMs") as state));
  return query select '', new_certificate, ends_at;
end
$$;

-- Confirms installations by a MAK in their order, or says of each why not. One that is confirmed already gets the same
-- confirmation again and uses nothing, also when the MAK is used up or has expired, and not when it is revoked.
-- Installation ids are hexadecimal digits: neither engine takes arrays of bytes.
create function authority.confirm_installations(
  wanted_key uuid, installations text[], editions text[], new_confirmations text[], asked_at timestamptz,
  actor text, address text
) returns table (code text, issued text, remaining integer)
language plpgsql as $$
declare
  key          authority.product_key;
  known        authority.confirmed_installation;
  installation bytea;
  used         integer;
begin
  perform authority.take_turn();
  select * into key from authority.product_key where key_id = wanted_key;
  used := key.mak_activations_used;
  for place in 1 .. cardinality(installations) loop
    installation := decode(installations[place], 'hex');
    select * into known from authority.confirmed_installation
    where key_id = wanted_key and installation_id = installation;
    code := case
      when key.revoked_at is not null then 'KEY_REVOKED'
      when known.edition <> editions[place] then 'INPUT_INVALID'
      when known.key_id is not null then ''
      when key.expires_at <= asked_at then 'KEY_EXPIRED'
      when used >= key.mak_activations then 'MAK_EXHAUSTED'
      else ''
    end;
    issued := case when code = '' then coalesce(known.confirmation, new_confirmations[place]) else '' end;
    if code = '' and known.key_id is null then
      insert into authority.confirmed_installation (key_id, installation_id, edition, confirmation, confirmed_at)
      values (wanted_key, installation, editions[place], new_confirmations[place], asked_at);
      perform authority.append_audit(asked_at, actor, address, 'installation.confirmed', wanted_key::text,
        (select row_to_json(state) from (select used as used) as state),
        (select row_to_json(state)
         from (select used + 1 as used, installations[place] as "installationId", editions[place] as edition) as state));
      used := used + 1;
    end if;
    remaining := greatest(key.mak_activations - used, 0);
    return next;
  end loop;
  update authority.product_key set mak_activations_used = used
  where key_id = wanted_key and mak_activations_used <> used;
end
$$;
