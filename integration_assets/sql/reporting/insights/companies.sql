-- Companies that voted, one page of them, those with most ARR first.
-- grain: one company; key: company_id
-- inputs: ranked.companies; in its place `ranked.companies_where` where some companies are chosen
-- $words: what the name or domain holds, "" for anything; $company_id: the only one, NULL for all
SELECT
    company_id,
    company_name,
    domain,
    arr,
    arr_status,
    requests,
    open_requests,
    shipped_requests,
    last_vote_at,
    lifecycle,
    lifecycle_stage,
    owner,
    renewal_date,
    crm_url,
    count(*) OVER () AS found
FROM ranked.companies
WHERE
    contains(lower(concat_ws(' ', company_name, domain)), lower($words))
    AND company_id = coalesce($company_id, company_id)
ORDER BY arr DESC NULLS LAST, requests DESC, company_name ASC NULLS LAST, company_id ASC
LIMIT
    $most_rows
    OFFSET $skipped
