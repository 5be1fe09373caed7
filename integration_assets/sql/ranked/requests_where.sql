-- ranked.requests_where (a table macro of the published database): requests that fit; first by ARR first.
-- grain: one request; key: request_id
-- inputs: ranked.feature_requests, ranked.requests_of
-- status_is, board_is, category_is, tag_is, created_since, voted_since: parameters, null for any; everything: those
-- that are shipped or closed as well. A status that is named is shown, closed or not. lifecycle_is, segments_are,
-- owner_is, renews_by: as of `ranked.requests_of`, which counts the companies that fit alone.
WITH rankings AS (
    SELECT *  -- noqa: AM04
    FROM ranked.feature_requests
    WHERE
        lifecycle_is IS NULL
        AND coalesce(len(segments_are::VARCHAR[]), 0) = 0
        AND owner_is IS NULL
        AND renews_by IS NULL
    UNION ALL
    SELECT *
    FROM
        ranked.requests_of(
            lifecycle_is := lifecycle_is, segments_are := segments_are, owner_is := owner_is, renews_by := renews_by
        )
    WHERE
        NOT (
            lifecycle_is IS NULL
            AND coalesce(len(segments_are::VARCHAR[]), 0) = 0
            AND owner_is IS NULL
            AND renews_by IS NULL
        )
)

SELECT *  -- noqa: AM04
FROM rankings
WHERE
    (is_open OR everything OR status_is IS NOT NULL)
    AND (status_is IS NULL OR status = status_is)
    AND (board_is IS NULL OR board = board_is)
    AND (category_is IS NULL OR category = category_is)
    AND (tag_is IS NULL OR list_contains(tags, tag_is))
    AND (created_since IS NULL OR created_at >= created_since::TIMESTAMP)
    AND (voted_since IS NULL OR last_vote_at >= voted_since::TIMESTAMP)
ORDER BY rank_by_arr
