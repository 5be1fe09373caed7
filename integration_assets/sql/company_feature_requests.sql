-- ranked.company_requests, asset company_feature_requests: which requests a company's people voted for.
-- grain: one company and request; key: company_id, request_id
-- inputs: resolved.votes, resolved.company_arr, resolved.company_hosts, raw.crm_companies, raw.feature_requests
-- arr is in the base currency, null without a figure. domain is the cleaned primary domain, null where it is no host.

WITH pairs AS (
    SELECT
        company_id,
        request_id,
        count(*) AS votes,
        min(created_at) AS first_vote_at,
        max(created_at) AS last_vote_at,
        list(DISTINCT match_method ORDER BY match_method) AS match_methods
    FROM resolved.votes
    WHERE company_id IS NOT NULL
    GROUP BY company_id, request_id
),

primary_hosts AS (
    SELECT
        company_id,
        min(host) AS domain
    FROM resolved.company_hosts
    WHERE origin = 'domain'
    GROUP BY company_id
)

SELECT
    pairs.company_id,
    companies.name AS company_name,
    primary_hosts.domain,
    arr.arr,
    pairs.request_id,
    requests.title,
    requests.status,
    pairs.votes,
    pairs.first_vote_at,
    pairs.last_vote_at,
    pairs.match_methods
FROM pairs
INNER JOIN raw.feature_requests AS requests ON pairs.request_id = requests.request_id
LEFT JOIN raw.crm_companies AS companies ON pairs.company_id = companies.company_id
LEFT JOIN resolved.company_arr AS arr ON pairs.company_id = arr.company_id
LEFT JOIN primary_hosts ON pairs.company_id = primary_hosts.company_id
ORDER BY pairs.company_id, pairs.request_id
