-- grain: one host that leads to a company, or would; key: host_no
-- inputs: resolved.address_hosts, work_override_hosts (the closest mapping above each host), work_host_companies,
--     resolved.suspected_mail_providers, work_personal_host_companies
-- suspected_ids: companies that have the domain for their own, where it is suspected to be a mail provider's.
-- personal_ids: companies that have a personal mail domain for their own. Neither is evidence; both are worth a look.

WITH found AS (
    SELECT
        hosts.host_no,
        mapped.company_ids AS by_override,
        coalesce(by_host.company_ids, by_domain.company_ids) AS by_domain,
        CASE WHEN by_host.company_ids IS NOT NULL THEN 'host' ELSE 'registrable_domain' END AS domain_method,
        suspected.email_domain IS NOT NULL AS is_suspected
    FROM resolved.address_hosts AS hosts
    LEFT JOIN work_override_hosts AS mapped ON hosts.host = mapped.host
    LEFT JOIN work_host_companies AS by_host ON hosts.host = by_host.host
    LEFT JOIN work_host_companies AS by_domain ON hosts.registrable_domain = by_domain.host
    LEFT JOIN resolved.suspected_mail_providers AS suspected
        ON coalesce(hosts.registrable_domain, hosts.host) = suspected.email_domain
    WHERE
        hosts.kind = 'business'
        AND coalesce(mapped.company_ids, by_host.company_ids, by_domain.company_ids) IS NOT NULL
)

SELECT
    host_no,
    by_override,
    -- a mapping stays: it is the decision that lifts the suspicion
    CASE WHEN NOT is_suspected THEN by_domain END AS by_domain,
    domain_method,
    CASE WHEN is_suspected THEN by_domain END AS suspected_ids,
    NULL::VARCHAR[] AS personal_ids
FROM found
UNION ALL
SELECT
    hosts.host_no,
    NULL AS by_override,
    NULL AS by_domain,
    NULL AS domain_method,
    NULL AS suspected_ids,
    coalesce(by_host.company_ids, by_domain.company_ids) AS personal_ids
FROM resolved.address_hosts AS hosts
LEFT JOIN work_personal_host_companies AS by_host ON hosts.host = by_host.host
LEFT JOIN work_personal_host_companies AS by_domain ON hosts.registrable_domain = by_domain.host
WHERE hosts.kind = 'personal' AND coalesce(by_host.company_ids, by_domain.company_ids) IS NOT NULL
