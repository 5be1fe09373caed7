-- Hosts that more than one company claims.
-- grain: one host; key: host
-- inputs: resolved.company_hosts
SELECT
    host,
    count(DISTINCT company_id) AS companies,
    list(DISTINCT company_id ORDER BY company_id) AS company_ids
FROM resolved.company_hosts
GROUP BY host
HAVING count(DISTINCT company_id) > 1
ORDER BY companies DESC, host ASC
