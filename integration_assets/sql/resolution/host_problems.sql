-- resolved.host_problems: domain fields of companies that are no evidence, and why.
-- grain: one domain field; key: company_id, origin, value
-- inputs: work_company_domains, work_domain_texts
-- value is the host that has the problem, else the field without a user part, which may be a person's address.
-- host is null where the field holds none.

SELECT DISTINCT
    domains.company_id,
    domains.origin,
    -- 's' lets the dot match line breaks: a user part above one would stay in the text
    coalesce(texts.problem_host, regexp_replace(domains.domain_text, '^.*@', '', 's')) AS value,
    texts.problem AS reason,
    texts.problem_host AS host
FROM work_company_domains AS domains
INNER JOIN work_domain_texts AS texts ON domains.domain_text = texts.domain_text
WHERE texts.problem IS NOT NULL
ORDER BY domains.company_id, domains.origin, value
