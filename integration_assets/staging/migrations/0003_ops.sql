-- What runs did, for people: published for analysts, free of e-mail addresses. Times are UTC without zone.

-- grain: one run; key: run_id
CREATE TABLE ops.runs (
    run_id VARCHAR,
    tenant VARCHAR,
    environment VARCHAR,      -- sandbox | production
    mode VARCHAR,             -- sync | dry_run | read_only | plan | undo
    state VARCHAR,            -- the end state
    error VARCHAR,            -- one line, null when there was none
    started_at TIMESTAMP,
    finished_at TIMESTAMP,
    duration_seconds DOUBLE,
    plan_hash VARCHAR,
    held BOOLEAN,
    currency VARCHAR,
    requests_identified BIGINT,
    votes_total BIGINT,
    votes_matched BIGINT,
    records_created BIGINT,
    records_updated BIGINT,
    links_created BIGINT,
    links_removed BIGINT,
    rejected BIGINT,
    summary JSON              -- the run summary, version 1
);

-- grain: one endpoint of one run; key: run_id, system, endpoint
CREATE TABLE ops.api_calls (
    run_id VARCHAR,
    system VARCHAR,           -- canny | hubspot | slack | ...
    endpoint VARCHAR,         -- method and path template
    total BIGINT,
    writes BIGINT,            -- calls that can change the CRM
    retried BIGINT,
    throttled BIGINT
);

-- grain: one check of one run; key: run_id, name, asset
CREATE TABLE ops.checks (
    run_id VARCHAR,
    name VARCHAR,
    asset VARCHAR,
    severity VARCHAR,         -- ERROR | WARN
    passed BOOLEAN,
    detail VARCHAR
);

-- grain: one input as last read; key: input
CREATE TABLE ops.freshness (
    input VARCHAR,
    as_of TIMESTAMP,          -- start of the read
    finished_at TIMESTAMP,
    rows_read BIGINT
);
