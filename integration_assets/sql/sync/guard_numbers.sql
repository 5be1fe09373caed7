-- What the guard compares with the last good run.
-- grain: one row
-- inputs: ranked.feature_requests, ranked.company_requests, resolved.votes, raw.crm_companies
WITH voted AS (
    SELECT
        company_id,
        any_value(arr) AS arr
    FROM ranked.company_requests
    GROUP BY company_id
)

SELECT
    (SELECT count(*) FROM ranked.feature_requests) AS requests,
    (SELECT count(*) FROM resolved.votes) AS votes,
    (SELECT count(*) FROM raw.crm_companies) AS companies,
    (SELECT count(*) FROM voted) AS voted_companies,
    (SELECT coalesce(sum(arr), 0)::DECIMAL(38, 2) FROM voted) AS voted_arr,
    (
        SELECT count(*) FROM resolved.votes
        WHERE company_id IS NULL
    ) AS unmatched_votes
