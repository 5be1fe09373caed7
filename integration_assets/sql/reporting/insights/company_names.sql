-- Names of companies, whether or not anybody of them voted.
-- grain: one company; key: company_id
-- inputs: ranked.crm_companies
SELECT
    company_id,
    company_name,
    domain
FROM ranked.crm_companies
WHERE list_contains($company_ids::VARCHAR[], company_id)
ORDER BY company_id
