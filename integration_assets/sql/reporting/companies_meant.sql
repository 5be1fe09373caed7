-- Companies that voted and are meant by an id, a domain or a name: those it is exactly, else those whose name holds it.
-- grain: one company; key: company_id
-- inputs: ranked.companies
-- $words
WITH fitting AS (
    SELECT
        company_id,
        coalesce(company_id = $words OR lower($words) IN (lower(domain), lower(company_name)), FALSE) AS is_exact,
        arr
    FROM ranked.companies
    WHERE company_id = $words OR contains(lower(concat_ws(' ', company_name, domain)), lower($words))
)

SELECT company_id
FROM fitting
WHERE is_exact OR NOT (SELECT bool_or(others.is_exact) FROM fitting AS others)
ORDER BY arr DESC NULLS LAST, company_id ASC
