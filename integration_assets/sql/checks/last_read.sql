-- When an input was last read.
-- grain: one row, none when it never was
-- inputs: raw.reads; parameter 1: input
SELECT
    as_of,
    rows_read
FROM raw.reads
WHERE input = $1
