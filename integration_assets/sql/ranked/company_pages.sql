-- Where people see each company in the CRM.
-- grain: one company that voted; key: company_id
-- inputs: ranked.companies, ops.crm_pages
SELECT
    companies.company_id,
    replace(pages.company_page, '{id}', companies.company_id) AS crm_url
FROM ranked.companies AS companies
CROSS JOIN ops.crm_pages AS pages
-- ids that would have to be escaped in an address are nobody's
WHERE regexp_full_match(companies.company_id, '[A-Za-z0-9_-]+')
