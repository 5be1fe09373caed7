-- resolved.host_problems: domain fields of companies that are no evidence, and why.
-- grain: one domain field; key: company_id, origin, value
-- inputs: work_company_domains, work_domain_texts
-- value is without the user part, which may be a person's address.

SELECT DISTINCT
    domains.company_id,
    domains.origin,
    regexp_replace(domains.domain_text, '^.*@', '', 's') AS value,
    texts.problem AS reason
FROM work_company_domains AS domains
INNER JOIN work_domain_texts AS texts ON domains.domain_text = texts.domain_text
WHERE texts.problem IS NOT NULL
ORDER BY domains.company_id, domains.origin, value
