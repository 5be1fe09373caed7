-- grain: one host; key: host
-- inputs: resolved.company_hosts

SELECT
    host,
    list(company_id ORDER BY company_id) AS company_ids
FROM resolved.company_hosts
GROUP BY host
