-- One relay at a time, and where in the durable stream its last publication lies (DESIGN 4.1).

-- Who publishes the log for a consumer. Whoever dies or stands still loses the lease by the clock of the database.
create table counting.relay_lease (
  consumer   text        primary key,
  holder     text        not null, -- another one for each process
  replica    text        not null, -- how people call the holder
  expires_at timestamptz not null
);

-- Empty until the relay has published into a durable stream.
alter table counting.outbox_cursor
  add column stream_incarnation text,
  add column stream_sequence    bigint,
  add column stream_event_id    text;
