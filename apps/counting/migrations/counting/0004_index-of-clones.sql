-- Without a transaction.
-- The list of cloned machines. What an interrupted attempt has left behind is removed first.
drop index concurrently if exists counting.machine_cloned;
create index concurrently machine_cloned on counting.machine (application, cmid) where cloned_at is not null;
