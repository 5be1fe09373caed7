-- What makes the ending of every run known, whatever happens to it. Times are UTC without zone.

-- grain: one run that has begun and not ended; key: run_id. Found by a later run, it is one that died.
CREATE TABLE sync.open_runs (
    run_id VARCHAR,
    tenant VARCHAR,
    environment VARCHAR,      -- sandbox | production
    mode VARCHAR,             -- sync | dry_run | read_only | undo
    started_at TIMESTAMP
);

-- grain: one summary that Slack has not confirmed; key: run_id. A posted one is removed.
CREATE TABLE sync.outbox (
    run_id VARCHAR,
    text VARCHAR,             -- for notifications
    blocks VARCHAR,           -- JSON: the message as it was to be posted
    ended_at TIMESTAMP,
    state VARCHAR,            -- waiting | sending | uncertain
    problem VARCHAR           -- why it was not posted, one line
);
