-- What a request's place rests on: its companies, then the votes that count for none.
-- grain: one company, or one reason; key: company_id, match_methods
-- inputs: ranked.why, ranked.company_requests, ranked.companies
SELECT
    why.company_id,
    why.company_name,
    pairs.domain,
    why.arr,
    why.arr_status,
    why.match_methods,
    why.voters,
    pairs.first_vote_at,
    pairs.last_vote_at,
    companies.crm_url
FROM ranked.why AS why
LEFT JOIN ranked.company_requests AS pairs
    ON why.request_id = pairs.request_id AND why.company_id = pairs.company_id
LEFT JOIN ranked.companies AS companies ON why.company_id = companies.company_id
WHERE why.request_id = $request_id
ORDER BY why.company_id IS NULL, why.arr DESC NULLS LAST, why.voters DESC, why.company_name ASC, why.company_id ASC
