-- What owners of companies have been told of requests that shipped; empty while nobody asks for it.
-- grain: one owner of companies that asked for a request that shipped; key: request_id, owner
CREATE TABLE sync.shipped_posts (
    request_id VARCHAR,       -- '' : the row that says since when shipping is watched
    owner VARCHAR,            -- '' : companies without an owner, or a request that nobody had to be told of
    state VARCHAR,            -- known: shipped before it was watched | waiting | told
    since TIMESTAMP
);
