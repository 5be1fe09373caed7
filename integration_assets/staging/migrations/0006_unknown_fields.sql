-- What the two systems send that nobody documented: kept out of every other table, told to people once.

-- grain: one field; key: field
CREATE TABLE ops.unknown_fields (
    field VARCHAR,            -- system.list.field
    run_id VARCHAR,           -- the run that tells of it; should it die before it does, another one takes it over
    first_seen_at TIMESTAMP,  -- UTC without zone
    records BIGINT            -- how many records that run read with it
);
