-- Since when people whom the feedback system lists have neither vote nor request. Times are UTC without zone.

-- grain: one person without vote and request; key: voter_id. Their address goes when it is long ago, and this row stays.
CREATE TABLE raw.idle_persons (
    voter_id VARCHAR,
    idle_since TIMESTAMP      -- when a run first found them so
);
