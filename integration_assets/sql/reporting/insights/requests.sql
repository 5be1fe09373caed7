-- Requests of a ranking, filtered, one page of them, with how many there are and how many closed ones are left out.
-- grain: one request, or one row of nulls where no request is shown; key: request_id
-- A file has all published columns, a page those that it shows in their place (`insights.requests_statement`).
-- inputs: ranked.feature_requests, or ranked.requests_of in its place (`insights.of_ranking`); ranked.merged_requests
-- $by: arr | companies | votes; $everything: shipped and closed requests as well; $status, $board, $category, $tag: ""
-- for all; $words: what the title holds, or that of a request merged into it, "" for anything; $created_since,
-- $voted_since: UTC, null for any time
WITH matching AS (
    SELECT
        *,
        -- whoever names a status wants to see it, closed or not
        is_open OR $everything OR $status != '' AS is_shown,
        CASE $by WHEN 'arr' THEN rank_by_arr WHEN 'companies' THEN rank_by_companies ELSE rank_by_votes END AS place
    FROM ranked.feature_requests
    WHERE
        ($status = '' OR coalesce(status, 'unknown') = $status)
        AND ($board = '' OR board = $board)
        AND ($category = '' OR category = $category)
        AND ($tag = '' OR list_contains(tags, $tag))
        AND (
            contains(lower(title), lower($words))
            -- who looks for what was merged away finds where it went
            OR request_id IN (
                SELECT merged.merged_into FROM ranked.merged_requests AS merged
                WHERE contains(lower(merged.title), lower($words))
            )
        )
        AND ($created_since IS NULL OR created_at >= $created_since::TIMESTAMP)
        AND ($voted_since IS NULL OR last_vote_at >= $voted_since::TIMESTAMP)
),

totals AS (
    SELECT
        count(*) FILTER (WHERE is_shown) AS found,
        count(*) FILTER (WHERE NOT is_shown) AS closed
    FROM matching
),

page AS (
    SELECT * FROM matching
    WHERE is_shown
    ORDER BY place
    LIMIT
        $most_rows
        OFFSET $skipped
)

SELECT
    page.* EXCLUDE (is_shown, place),  -- noqa: AM04
    totals.found,
    totals.closed
FROM totals
LEFT JOIN page ON TRUE
ORDER BY page.place
