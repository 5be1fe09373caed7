-- grain: one account that leads to a company; key: account_id
-- inputs: raw.accounts, raw.voter_accounts, raw.crm_companies, resolved.company_survivors, work_text_companies
-- The first evidence that finds a company decides: the account's id ($account_id_is: record_id, property or none), its
-- host, its registrable domain. $id_prefixes: how the ids of each feedback system begin; none where there is one.

WITH keys AS (
    SELECT
        company_id AS account_id,
        survivor_id AS company_id
    FROM resolved.company_survivors
    WHERE $account_id_is = 'record_id'
    -- ids that were merged away are in the first branch too: an account may still name one of them
    UNION ALL
    SELECT
        -- of several feedback systems, an id without the name of one is the first one's
        CASE
            WHEN
                len($id_prefixes) = 0
                OR list_contains($id_prefixes, regexp_extract(trim(companies.account_id), '^[^:]*:'))
                THEN trim(companies.account_id)
            ELSE $id_prefixes[1] || trim(companies.account_id)
        END AS account_id,
        survivors.survivor_id AS company_id
    FROM raw.crm_companies AS companies
    INNER JOIN resolved.company_survivors AS survivors ON companies.company_id = survivors.company_id
    WHERE $account_id_is = 'property' AND trim(companies.account_id) <> ''
),

by_id AS (
    SELECT
        account_id,
        list(DISTINCT company_id ORDER BY company_id) AS company_ids
    FROM keys
    GROUP BY account_id
),

accounts AS (
    SELECT
        account_id,
        domain
    FROM raw.accounts
    UNION ALL
    SELECT DISTINCT
        memberships.account_id,
        NULL AS domain
    FROM raw.voter_accounts AS memberships
    -- accounts that are known by their members alone: their id may still lead to a company
    WHERE NOT EXISTS (
        SELECT 1 FROM raw.accounts AS accounts
        WHERE accounts.account_id = memberships.account_id
    )
),

found AS (
    SELECT
        accounts.account_id,
        coalesce(by_id.company_ids, by_domain.company_ids) AS company_ids
    FROM accounts
    LEFT JOIN by_id
        ON by_id.account_id = CASE
            -- the CRM's own ids name no feedback system
            WHEN $account_id_is = 'record_id' AND len($id_prefixes) > 0
                THEN regexp_replace(trim(accounts.account_id), '^[^:]*:', '')
            ELSE trim(accounts.account_id)
        END
    LEFT JOIN work_text_companies AS by_domain ON accounts.domain = by_domain.domain_text
)

SELECT
    account_id,
    company_ids
FROM found
WHERE company_ids IS NOT NULL
