-- grain: one domain field that leads to companies; key: domain_text
-- inputs: work_domain_texts, work_host_companies
-- A field may hold several hosts. The companies at any of them are the evidence; else those at a registrable domain.

WITH at_host AS (
    SELECT
        texts.domain_text,
        unnest(companies.company_ids) AS company_id
    FROM work_domain_texts AS texts
    INNER JOIN work_host_companies AS companies ON texts.host = companies.host
),

at_domain AS (
    SELECT
        texts.domain_text,
        unnest(companies.company_ids) AS company_id
    FROM work_domain_texts AS texts
    INNER JOIN work_host_companies AS companies ON texts.registrable_domain = companies.host
    -- a company at the very host is closer than one that only shares the registrable domain
    WHERE texts.domain_text NOT IN (SELECT at_host.domain_text FROM at_host)
),

found AS (
    FROM at_host
    UNION ALL
    FROM at_domain
)

SELECT
    domain_text,
    list(DISTINCT company_id ORDER BY company_id) AS company_ids
FROM found
GROUP BY domain_text
