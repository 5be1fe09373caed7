-- grain: one personal mail domain that companies of the CRM have for their own; key: host
-- inputs: resolved.host_problems

SELECT
    host,
    list(DISTINCT company_id ORDER BY company_id) AS company_ids
FROM resolved.host_problems
WHERE reason = 'personal_domain'
GROUP BY host
