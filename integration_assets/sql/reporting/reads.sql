-- How fresh each input is.
-- grain: one input; key: input
-- inputs: raw.reads
SELECT
    input,
    as_of,
    finished_at,
    rows_read
FROM raw.reads
ORDER BY input
