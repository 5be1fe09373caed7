-- ranked.why (a view): what a request's place rests on: its companies, and the votes that count for none.
-- grain: one request and company, or one request and reason (company_id null, the reason in match_methods)
-- key: request_id, company_id, match_methods
-- inputs: ranked.company_requests, resolved.counted_votes, resolved.voters, resolved.requests
-- voters: persons; without a company also those who are gone, one per vote.

WITH lost AS (
    SELECT
        votes.request_no,
        CASE WHEN voters.voter_no IS NULL THEN 'no_email' ELSE voters.reason END AS reason,
        count(*) AS voters
    FROM resolved.counted_votes AS votes
    LEFT JOIN resolved.voters AS voters ON votes.voter_no = voters.voter_no
    -- of voters who are gone as well: the join leaves them without a number
    WHERE voters.company_no IS NULL
    GROUP BY ALL
)

SELECT
    request_id,
    company_id,
    company_name,
    arr,
    arr_status,
    match_methods,
    -- one voter has one counted vote per request, so the two numbers are the same
    votes AS voters
FROM ranked.company_requests
UNION ALL
SELECT
    requests.request_id,
    NULL AS company_id,
    NULL AS company_name,
    NULL AS arr,
    NULL AS arr_status,
    [lost.reason] AS match_methods,
    lost.voters
FROM lost
INNER JOIN resolved.requests AS requests ON lost.request_no = requests.request_no
