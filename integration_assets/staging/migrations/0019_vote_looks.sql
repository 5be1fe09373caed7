-- When the votes of a request were last held against the feedback system. Times are UTC without zone.

-- grain: one request; key: request_id
CREATE TABLE raw.vote_looks (
    request_id VARCHAR,
    looked_at TIMESTAMP
);
