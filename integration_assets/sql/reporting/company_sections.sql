-- The requests of the companies with most ARR: what is planned, what shipped lately, what else is open.
-- grain: one company and request; key: company_id, request_id
-- inputs: ranked.companies, ranked.company_requests, ranked.feature_requests
-- $most_companies; $most_rows: of each part of a company; $since: from when on shipped requests are lately, UTC
-- part: planned | shipped | open. A request that shipped at a time nobody tells is none of them; undated counts those.
WITH companies AS (
    SELECT
        *,
        row_number() OVER (
            ORDER BY arr DESC NULLS LAST, requests DESC, company_name ASC NULLS LAST, company_id ASC
        ) AS place
    FROM ranked.companies
    QUALIFY place <= $most_companies
),

voted AS (
    SELECT
        companies.place,
        pairs.company_id,
        pairs.request_id,
        pairs.votes,
        pairs.last_vote_at,
        requests.title,
        requests.status,
        requests.status_changed_at,
        requests.rank_by_arr,
        requests.url,
        requests.crm_url,
        CASE
            WHEN requests.status IN ('planned', 'in_progress') THEN 'planned'
            WHEN requests.is_open THEN 'open'
            WHEN requests.status = 'complete' AND requests.status_changed_at >= $since::TIMESTAMP THEN 'shipped'
            WHEN requests.status = 'complete' AND requests.status_changed_at IS NULL THEN 'undated'
        END AS part
    FROM companies
    INNER JOIN ranked.company_requests AS pairs ON companies.company_id = pairs.company_id
    INNER JOIN ranked.feature_requests AS requests ON pairs.request_id = requests.request_id
)

SELECT
    company_id,
    part,
    request_id,
    title,
    status,
    status_changed_at,
    votes,
    last_vote_at,
    rank_by_arr,
    url,
    crm_url,
    count(*) OVER (PARTITION BY company_id, part) AS found
FROM voted
WHERE part IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY company_id, part ORDER BY rank_by_arr) <= $most_rows
ORDER BY
    place ASC,
    CASE part WHEN 'planned' THEN 1 WHEN 'shipped' THEN 2 WHEN 'open' THEN 3 ELSE 4 END ASC,
    rank_by_arr ASC
