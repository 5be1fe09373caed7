-- resolved.company_hosts: the hosts that speak for a company.
-- grain: one host of one company; key: company_id, host
-- inputs: work_company_domains, work_domain_texts (one row per host or problem of a domain text)

SELECT
    domains.company_id,
    texts.host,
    any_value(texts.registrable_domain) AS registrable_domain,
    max(domains.origin) AS origin  -- 'domain' where both fields have it
FROM work_company_domains AS domains
INNER JOIN work_domain_texts AS texts ON domains.domain_text = texts.domain_text
WHERE texts.host IS NOT NULL
GROUP BY domains.company_id, texts.host
ORDER BY domains.company_id, texts.host
