-- What a good run read, beside what it ranked: merged requests and repeated votes are read and not ranked, so that the
-- size of an input is compared with the size of that input. Null for runs of earlier versions.
ALTER TABLE sync.baselines ADD COLUMN requests_read BIGINT;
ALTER TABLE sync.baselines ADD COLUMN votes_read BIGINT;
