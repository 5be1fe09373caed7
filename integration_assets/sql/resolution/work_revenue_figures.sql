-- grain: one revenue figure of one source; key: source, figure_id
-- inputs: raw.crm_companies, raw.internal_accounts, raw.accounts, resolved.company_survivors, work_account_companies,
--     work_internal_companies, work_ties
-- $sources: the sources the tenant wants. $accounts_currency: of the spend of accounts; of several feedback systems
-- $accounts_currencies, in the order of $id_prefixes, the beginnings of their ids. company_id is null where a figure
-- leads to no company, or to several none of which is above all others: revenue never decides whose revenue it is.

WITH led AS (
    SELECT
        'internal' AS source,
        internal.account_row AS figure_id,
        internal.arr AS figure,
        internal.currency,
        found.company_ids
    FROM raw.internal_accounts AS internal
    LEFT JOIN work_internal_companies AS found ON internal.account_row = found.account_row
    UNION ALL
    SELECT
        'accounts' AS source,
        accounts.account_id AS figure_id,
        accounts.monthly_spend AS figure,
        coalesce(
            list_extract(
                $accounts_currencies::VARCHAR[],
                list_position($id_prefixes::VARCHAR[], regexp_extract(accounts.account_id, '^[^:]*:'))
            ),
            $accounts_currency
        ) AS currency,
        found.company_ids
    FROM raw.accounts AS accounts
    LEFT JOIN work_account_companies AS found ON accounts.account_id = found.account_id
)

SELECT
    'crm' AS source,
    companies.company_id AS figure_id,
    companies.company_id,
    companies.arr AS figure,
    companies.currency,
    []::VARCHAR[] AS candidate_company_ids
FROM raw.crm_companies AS companies
-- a company merged away while we read brings no revenue: the survivor's figure is the one that is kept
SEMI JOIN resolved.company_survivors AS survivors ON companies.company_id = survivors.survivor_id
WHERE companies.arr IS NOT NULL AND list_contains($sources, 'crm')
UNION ALL
SELECT
    led.source,
    led.figure_id,
    -- the ancestor, never the winner: who wins for votes is decided by revenue
    CASE WHEN len(led.company_ids) = 1 THEN led.company_ids[1] ELSE ties.ancestor_id END AS company_id,
    led.figure,
    led.currency,
    coalesce(led.company_ids, []::VARCHAR[]) AS candidate_company_ids
FROM led
LEFT JOIN work_ties AS ties ON led.company_ids = ties.company_ids
WHERE led.figure IS NOT NULL AND list_contains($sources, led.source)
