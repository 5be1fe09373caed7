-- Names of companies, as far as they voted.
-- grain: one company; key: company_id
-- inputs: ranked.companies
SELECT
    company_id,
    company_name,
    domain
FROM ranked.companies
WHERE list_contains($company_ids::VARCHAR[], company_id)
ORDER BY company_id
