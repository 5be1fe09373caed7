-- grain: one row of the internal system that leads to a company; key: account_row
-- inputs: raw.internal_accounts, resolved.company_survivors, work_text_companies
-- The first evidence that finds a company decides: company id, host, registrable domain.

WITH found AS (
    SELECT
        internal.account_row,
        coalesce(
            -- null, not a list of null, where the id is unknown: only then does the domain decide
            CASE WHEN survivors.survivor_id IS NOT NULL THEN [survivors.survivor_id] END,
            by_domain.company_ids
        ) AS company_ids
    FROM raw.internal_accounts AS internal
    LEFT JOIN resolved.company_survivors AS survivors ON trim(internal.company_id) = survivors.company_id
    LEFT JOIN work_text_companies AS by_domain ON internal.domain = by_domain.domain_text
)

SELECT
    account_row,
    company_ids
FROM found
WHERE company_ids IS NOT NULL
