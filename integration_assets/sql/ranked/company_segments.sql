-- ranked.company_segments: what the mapped properties of companies that voted hold.
-- grain: one value of one property of a company; key: company_id, property, value
-- inputs: ranked.companies, raw.crm_companies
-- A property with several values has a row for each.

WITH texts AS (
    SELECT
        companies.company_id,
        unnest(map_entries(raw_companies.segments)) AS entry
    FROM ranked.companies AS companies
    INNER JOIN raw.crm_companies AS raw_companies ON companies.company_id = raw_companies.company_id
),

parts AS (
    SELECT
        texts.company_id,
        texts.entry.key AS property,
        unnest(string_split(texts.entry.value, ';')) AS value
    FROM texts
)

SELECT DISTINCT
    company_id,
    property,
    trim(value) AS value
FROM parts
WHERE trim(value) != ''
ORDER BY company_id, property, value
