-- What makes the next read shorter: when each input was last read whole, and which differences were looked into.

-- grain: one input that is read whole only now and then; key: input
CREATE TABLE raw.full_reads (
    input VARCHAR,            -- votes | status_changes | persons | accounts | contacts
    credential VARCHAR,       -- digest of address and key: another workspace is read whole
    finished_at TIMESTAMP
);

-- grain: one request whose reported votes differ from the stored ones even after reading them again; key: request_id
CREATE TABLE raw.vote_differences (
    request_id VARCHAR,
    score BIGINT,             -- votes as the source reported them
    stored BIGINT             -- distinct voters stored
);
