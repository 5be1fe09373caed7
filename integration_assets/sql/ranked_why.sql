-- ranked.why: what a request's place rests on: its companies, and the votes that count for none.
-- grain: one request and company, or one request and reason (company_id null, the reason in match_methods)
-- key: request_id, company_id, match_methods
-- inputs: ranked.company_requests, resolved.votes
-- voters: persons; without a company also those who are gone, one per vote.

WITH lost AS (
    SELECT
        request_id,
        reason,
        count(*) AS voters
    FROM resolved.votes
    WHERE reason IS NOT NULL
    GROUP BY request_id, reason
),

rows_of_both AS (
    SELECT
        request_id,
        company_id,
        company_name,
        arr,
        match_methods,
        votes AS voters
    FROM ranked.company_requests
    UNION ALL
    SELECT
        request_id,
        NULL AS company_id,
        NULL AS company_name,
        NULL AS arr,
        [reason] AS match_methods,
        voters
    FROM lost
)

SELECT
    request_id,
    company_id,
    company_name,
    arr,
    match_methods,
    voters
FROM rows_of_both
