-- Requests that shipped since a moment, newest first, with who waited; and how many shipped at no known time.
-- grain: one request, or one row of nulls where none shipped since; key: request_id
-- inputs: ranked.feature_requests, ranked.company_requests
-- $since: UTC
WITH waiting AS (
    SELECT
        request_id,
        list(coalesce(company_name, domain, company_id) ORDER BY arr DESC NULLS LAST, company_id ASC) AS company_names
    FROM ranked.company_requests
    GROUP BY request_id
),

shipped AS (
    SELECT * FROM ranked.feature_requests
    WHERE status = 'complete' AND status_changed_at >= $since::TIMESTAMP
),

undated AS (
    SELECT count(*) AS requests
    FROM ranked.feature_requests
    WHERE status = 'complete' AND status_changed_at IS NULL
)

SELECT
    shipped.request_id,
    shipped.title,
    shipped.status_changed_at,
    coalesce(waiting.company_names, []) AS company_names,
    shipped.companies,
    shipped.arr,
    shipped.companies_without_rate,
    shipped.voters,
    shipped.url,
    undated.requests AS undated
FROM undated
LEFT JOIN shipped ON TRUE
LEFT JOIN waiting ON shipped.request_id = waiting.request_id
ORDER BY shipped.status_changed_at DESC, shipped.request_id ASC
