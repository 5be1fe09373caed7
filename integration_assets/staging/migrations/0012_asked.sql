-- What was newest when the feedback system was last asked whether anything changed. Times are UTC without zone.

-- grain: one list of the feedback system; key: list
CREATE TABLE sync.newest_asked (
    list VARCHAR,             -- feature_requests | votes | status_changes
    newest_id VARCHAR,        -- null when the list was empty
    asked_at TIMESTAMP
);
