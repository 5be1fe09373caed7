-- One company that voted.
-- grain: one company; key: company_id
-- inputs: ranked.companies
SELECT
    company_id,
    company_name,
    domain,
    arr,
    arr_status,
    requests,
    open_requests,
    shipped_requests,
    last_vote_at
FROM ranked.companies
WHERE company_id = $company_id
