-- grain: one domain field of a company; key: company_id, origin, domain_text
-- inputs: raw.crm_companies, resolved.company_survivors
-- A company that was merged away while we read leaves its domains to the survivor.

WITH fields AS (
    SELECT
        company_id,
        'domain' AS origin,
        domain AS domain_text
    FROM raw.crm_companies
    UNION ALL
    SELECT
        company_id,
        'additional_domain' AS origin,
        unnest(additional_domains) AS domain_text
    FROM raw.crm_companies
)

SELECT DISTINCT
    survivors.survivor_id AS company_id,
    fields.origin,
    fields.domain_text
FROM fields
INNER JOIN resolved.company_survivors AS survivors ON fields.company_id = survivors.company_id
WHERE fields.domain_text IS NOT NULL
