-- grain: one host of business addresses that leads to a company; key: host
-- inputs: resolved.addresses, work_override_hosts (the closest mapping above each host), work_host_companies

WITH hosts AS (
    SELECT DISTINCT
        host,
        registrable_domain
    FROM resolved.addresses
    WHERE kind = 'business'
)

SELECT
    hosts.host,
    mapped.company_ids AS by_override,
    coalesce(by_host.company_ids, by_domain.company_ids) AS by_domain,
    CASE WHEN by_host.company_ids IS NOT NULL THEN 'host' ELSE 'registrable_domain' END AS domain_method
FROM hosts
LEFT JOIN work_override_hosts AS mapped ON hosts.host = mapped.host
LEFT JOIN work_host_companies AS by_host ON hosts.host = by_host.host
LEFT JOIN work_host_companies AS by_domain ON hosts.registrable_domain = by_domain.host
WHERE coalesce(mapped.company_ids, by_host.company_ids, by_domain.company_ids) IS NOT NULL
