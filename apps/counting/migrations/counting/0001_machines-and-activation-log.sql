-- Machines, the activation log and the outbox of counting (DESIGN 2.2 and 4.1).

create table counting.machine (
  application      text        not null,
  cmid             uuid        not null,
  edition          text        not null,
  machine_class    text        not null check (machine_class in ('physical', 'virtual', 'container')),
  machine_name     text        not null, -- the last one that was not withheld; empty when all were
  fingerprint      text        not null, -- hexadecimal, the last one known; empty when none was
  raises_count     boolean     not null, -- by the catalogue, for the class of the last request
  first_request_at timestamptz not null,
  last_request_at  timestamptz not null,
  requests         bigint      not null,
  last_code        text        not null,
  cloned_at        timestamptz,          -- when another identity was first seen with this CMID
  primary key (application, cmid)
);

-- Serves the count: the youngest machines of an application, as many as the cap asks for.
create index machine_in_count on counting.machine (application, last_request_at desc) where raises_count;

-- Which names and fingerprints were seen with a cloned CMID.
create table counting.machine_identity (
  application  text        not null,
  cmid         uuid        not null,
  machine_name text        not null,
  fingerprint  text        not null,
  last_seen_at timestamptz not null,
  primary key (application, cmid, machine_name, fingerprint)
);

-- Every decision, in the order of commit: audit trail and outbox at once.
create table counting.activation_log (
  id             bigint      generated always as identity primary key,
  activation_id  uuid        not null,
  occurred_at    timestamptz not null,
  gateway_id     text        not null,
  remote_address text        not null,
  application    text        not null,
  edition        text        not null,
  cmid           uuid        not null,
  previous_cmid  uuid,
  machine_class  text        not null,
  machine_name   text        not null,
  fingerprint    text        not null,
  licence_status text        not null,
  client_version text        not null,
  code           text        not null,
  count          integer     not null,
  threshold      integer     not null,
  first_seen     boolean     not null,
  cloned         boolean     not null
);

-- How far each consumer of the log has come.
create table counting.outbox_cursor (
  consumer text   primary key,
  last_id  bigint not null
);
