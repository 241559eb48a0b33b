-- The audit trail: every administrative act and every use of a key, each tied to all before it by a hash
-- (libs/trust/src/audit-chain.ts). A record is written by the statement that makes the change, or neither is.

create table authority.audit_record (
  sequence bigint primary key,
  record   text   not null, -- JSON in its canonical form
  hash     bytea  not null  -- SHA-256 of the hash before and the record
);

create function authority.refuse_change() returns trigger language plpgsql as $$
begin
  raise exception 'the audit trail is only ever added to';
end
$$;

create trigger audit_record_is_kept before update or delete on authority.audit_record
for each row execute function authority.refuse_change();
create trigger audit_trail_is_kept before truncate on authority.audit_record
for each statement execute function authority.refuse_change();

-- Whoever changes the authority does so alone, until its commit: a chain has one end. It has to be called before
-- anything is read that the change depends on; each command after it sees all that was committed before.
create function authority.take_turn() returns void language sql as $$
  select pg_advisory_xact_lock(5230776108194433)
$$;

-- Adds a record. row_to_json writes as JSON.stringify does: no whitespace, the same escapes.
create function authority.append_audit(
  done_at      timestamptz,
  actor        text,
  address      text,
  action       text,
  subject      text,
  state_before json,
  state_after  json
) returns void language plpgsql as $$
declare
  last authority.audit_record;
  canonical text;
begin
  perform authority.take_turn();
  select * into last from authority.audit_record order by sequence desc limit 1;
  select row_to_json(record)::text into canonical
  from (select coalesce(last.sequence, 0) + 1                          as "sequence",
               round(extract(epoch from done_at) * 1000)::bigint       as "atUnixMs",
               actor, address, action, subject,
               state_before as "before", state_after as "after") as record;
  insert into authority.audit_record (sequence, record, hash)
  values (coalesce(last.sequence, 0) + 1, canonical,
          sha256(coalesce(last.hash, decode(repeat('00', 32), 'hex')) || convert_to(canonical, 'UTF8')));
end
$$;
