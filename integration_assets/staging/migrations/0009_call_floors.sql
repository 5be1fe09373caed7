-- The fewest calls a run's work takes, to be shown beside the calls it made.

-- grain: one system of one run; key: run_id, system. Absent for runs that did not get through what they had to do.
CREATE TABLE ops.call_floors (
    run_id VARCHAR,
    system VARCHAR,           -- canny | hubspot
    calls BIGINT
);
