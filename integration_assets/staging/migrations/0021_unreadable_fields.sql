-- Optional fields that could not be read in some records: those are used without them, and this says so.

-- grain: one field of one run; key: run_id, field
CREATE TABLE ops.unreadable_fields (
    run_id VARCHAR,
    field VARCHAR,            -- <system>.<list>.<field>
    records BIGINT,           -- how many records
    examples VARCHAR[],       -- ids of the first of them
    reason VARCHAR            -- of the first of them, without the value
);
