-- Whether the addresses of companies and records in the CRM are known, and why not.
-- grain: one row, none before a portal was read
-- inputs: ops.crm_pages
SELECT
    company_page IS NOT NULL AS companies,
    request_page IS NOT NULL AS requests,
    pages_unknown AS unknown
FROM ops.crm_pages
