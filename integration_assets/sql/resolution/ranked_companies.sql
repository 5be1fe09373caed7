-- resolved.ranked_companies: what the rankings say of a company, as it was when they were made.
-- grain: one company that voted; key: company_no
-- inputs: resolved.voting_companies, resolved.company_arr, resolved.company_hosts, raw.crm_companies
-- arr is in the base currency, null without a figure or a rate: arr_status says which (known, no_figure, no_rate).
-- domain is the cleaned primary domain, null where it is no host.

WITH primary_hosts AS (
    SELECT
        company_id,
        min(host) AS domain
    FROM resolved.company_hosts
    WHERE origin = 'domain'
    GROUP BY company_id
)

SELECT
    voting.company_no,
    voting.company_id,
    companies.name AS company_name,
    primary_hosts.domain,
    arr.arr,
    CASE WHEN arr.arr IS NOT NULL THEN 'known' WHEN arr.problem = 'no_rate' THEN 'no_rate' ELSE 'no_figure' END
        AS arr_status,
    -- a figure without a rate is above zero: zero needs none
    coalesce(
        lower(companies.lifecycle_stage) = 'customer' OR arr.arr > 0 OR arr.amount > 0 OR arr.problem = 'no_rate', FALSE
    ) AS is_customer
FROM resolved.voting_companies AS voting
LEFT JOIN raw.crm_companies AS companies ON voting.company_id = companies.company_id
LEFT JOIN resolved.company_arr AS arr ON voting.company_id = arr.company_id
LEFT JOIN primary_hosts ON voting.company_id = primary_hosts.company_id
