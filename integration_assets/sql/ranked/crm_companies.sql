-- ranked.crm_companies (a view): every company of the CRM, whether or not anybody of it voted, for finding one by name.
-- grain: one company; key: company_id
-- inputs: raw.crm_companies, resolved.company_arr, resolved.company_hosts
-- arr is in the base currency, null without a figure or a rate. domain is the cleaned primary domain, null where it is
-- no host.

WITH primary_hosts AS (
    SELECT
        company_id,
        min(host) AS domain
    FROM resolved.company_hosts
    WHERE origin = 'domain'
    GROUP BY company_id
)

SELECT
    companies.company_id,
    companies.name AS company_name,
    primary_hosts.domain,
    arr.arr
FROM raw.crm_companies AS companies
-- one row for each that is live: not those that were merged into another
INNER JOIN resolved.company_arr AS arr ON companies.company_id = arr.company_id
LEFT JOIN primary_hosts ON companies.company_id = primary_hosts.company_id
