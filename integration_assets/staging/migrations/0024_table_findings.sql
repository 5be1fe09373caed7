-- What was odd about the tables that requests and votes were read from: lines for the checks to tell.

-- grain: one finding of one run; key: run_id, line
CREATE TABLE ops.table_findings (
    run_id VARCHAR,
    kind VARCHAR,             -- stale, repeated, ambiguous, incomplete, encoding
    line VARCHAR              -- without personal data
);
