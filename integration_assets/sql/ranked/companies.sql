-- ranked.companies: every company that voted for anything.
-- grain: one company; key: company_id
-- inputs: resolved.company_votes, resolved.ranked_companies, resolved.ranked_requests
-- Shipped is complete.

WITH totals AS (
    SELECT
        pairs.company_no,
        count(*) AS requests,
        count(*) FILTER (WHERE requests.is_open) AS open_requests,
        count(*) FILTER (WHERE requests.status = 'complete') AS shipped_requests,
        max(pairs.last_vote_at) AS last_vote_at
    FROM resolved.company_votes AS pairs
    INNER JOIN resolved.ranked_requests AS requests ON pairs.request_no = requests.request_no
    GROUP BY pairs.company_no
)

SELECT
    companies.company_id,
    companies.company_name,
    companies.domain,
    companies.arr,
    companies.arr_status,
    companies.lifecycle,
    companies.lifecycle_stage,
    companies.is_customer,
    companies.owner,
    companies.renewal_date,
    totals.requests,
    totals.open_requests,
    totals.shipped_requests,
    totals.last_vote_at,
    -- set before it is published, as that of requests
    NULL::VARCHAR AS crm_url
FROM totals
INNER JOIN resolved.ranked_companies AS companies ON totals.company_no = companies.company_no
ORDER BY companies.company_id
