-- Companies of the CRM that some words mean, the closest first: those that are it, begin with it, have a word that
-- does, hold it; among equals those with most ARR.
-- grain: one company; key: company_id
-- inputs: ranked.crm_companies, ops.crm_pages
-- $words: of an id, a domain or a name; case and accents do not count; $most_rows
WITH asked AS (
    SELECT strip_accents(lower(nfc_normalize($words))) AS words
),

spelt AS (
    SELECT
        *,
        strip_accents(lower(nfc_normalize(coalesce(company_name, '')))) AS spelt_name,
        lower(coalesce(domain, '')) AS spelt_domain
    FROM ranked.crm_companies
),

fitting AS (
    SELECT
        spelt.*,
        CASE
            WHEN spelt.company_id = $words OR asked.words IN (spelt.spelt_name, spelt.spelt_domain) THEN 1
            WHEN starts_with(spelt.spelt_name, asked.words) THEN 2
            WHEN contains(spelt.spelt_name, ' ' || asked.words) THEN 3
            WHEN starts_with(spelt.spelt_domain, asked.words) THEN 4
            WHEN contains(spelt.spelt_name, asked.words) OR contains(spelt.spelt_domain, asked.words) THEN 5
        END AS closeness
    FROM spelt
    CROSS JOIN asked
)

SELECT
    fitting.company_id,
    fitting.company_name,
    fitting.domain,
    fitting.arr,
    CASE
        WHEN regexp_full_match(fitting.company_id, '[A-Za-z0-9_-]+')
            THEN replace(pages.company_page, '{id}', fitting.company_id)
    END AS crm_url,
    count(*) OVER () AS found
FROM fitting
LEFT JOIN ops.crm_pages AS pages ON TRUE
WHERE fitting.closeness IS NOT NULL
ORDER BY fitting.closeness ASC, fitting.arr DESC NULLS LAST, fitting.company_name ASC, fitting.company_id ASC
LIMIT $most_rows
