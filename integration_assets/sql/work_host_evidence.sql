-- grain: one host of business addresses that leads to a company; key: host_no
-- inputs: resolved.address_hosts, work_override_hosts (the closest mapping above each host), work_host_companies

SELECT
    hosts.host_no,
    mapped.company_ids AS by_override,
    coalesce(by_host.company_ids, by_domain.company_ids) AS by_domain,
    CASE WHEN by_host.company_ids IS NOT NULL THEN 'host' ELSE 'registrable_domain' END AS domain_method
FROM resolved.address_hosts AS hosts
LEFT JOIN work_override_hosts AS mapped ON hosts.host = mapped.host
LEFT JOIN work_host_companies AS by_host ON hosts.host = by_host.host
LEFT JOIN work_host_companies AS by_domain ON hosts.registrable_domain = by_domain.host
WHERE hosts.kind = 'business' AND coalesce(mapped.company_ids, by_host.company_ids, by_domain.company_ids) IS NOT NULL
