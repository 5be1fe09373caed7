-- ranked.companies: every company that voted for anything.
-- grain: one company; key: company_id
-- inputs: ranked.company_requests
-- $open_statuses: statuses of open requests. Shipped is complete.

SELECT
    company_id,
    any_value(company_name) AS company_name,
    any_value(domain) AS domain,
    any_value(arr) AS arr,
    count(*) AS requests,
    count(*) FILTER (WHERE list_contains($open_statuses, coalesce(status, 'unknown'))) AS open_requests,
    count(*) FILTER (WHERE status = 'complete') AS shipped_requests,
    max(last_vote_at) AS last_vote_at
FROM ranked.company_requests
GROUP BY company_id
ORDER BY company_id
